// [data-copy]: a button that puts its text on the clipboard. Hidden until this runs.
export function copies(root) {
  const show = (node) => node.querySelectorAll("[data-copy][hidden]").forEach((b) => (b.hidden = false));
  if (!navigator.clipboard) return;
  show(root);
  root.addEventListener("htmx:oobAfterSwap", () => show(root));
  root.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    event.preventDefault();
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
}
