// When a live part is replaced, what the person did in it stays: opened details, typed words, focus.
const kept = new Map();

export function keeps(root) {
  root.addEventListener("click", (event) => {
    const details = event.target.closest("summary")?.parentElement;
    if (details?.id) details.dataset.touched = "yes";
  });
  root.addEventListener("htmx:oobBeforeSwap", ({ detail }) => kept.set(detail.target.id, state(detail.target)));
  root.addEventListener("htmx:oobAfterSwap", ({ detail }) => {
    const part = document.getElementById(detail.target.id);
    if (part && kept.has(part.id)) restore(part, kept.get(part.id));
    kept.delete(detail.target.id);
  });
}

function state(part) {
  const touched = [...part.querySelectorAll("details[data-touched]")].map((d) => [d.id, d.open]);
  const typed = [...part.querySelectorAll("[id]:is(input, textarea, select)")]
    .filter((field) => field.value !== field.defaultValue && field.type !== "hidden")
    .map((field) => [field.id, field.value]);
  const checked = [...part.querySelectorAll(":is([type=checkbox], [type=radio]):checked")].map(place);
  const active = part.contains(document.activeElement) ? document.activeElement : null;
  return { touched, typed, checked, focus: active && place(active), caret: active?.selectionStart };
}

function restore(part, { touched, typed, checked, focus, caret }) {
  for (const [id, open] of touched) {
    const details = part.querySelector(`#${CSS.escape(id)}`);
    if (details) Object.assign(details, { open }).dataset.touched = "yes";
  }
  for (const [id, value] of typed) {
    const field = part.querySelector(`#${CSS.escape(id)}`);
    if (field) field.value = value;
  }
  for (const where of checked) {
    const box = part.querySelector(where);
    if (box) box.checked = true;
  }
  const active = focus && part.querySelector(focus);
  active?.focus({ preventScroll: true });
  if (active && caret != null) active.setSelectionRange?.(caret, caret);
}

// A selector that finds the same control in the new markup.
function place(node) {
  if (node.id) return `#${CSS.escape(node.id)}`;
  if (node.name) return `${node.localName}[name="${CSS.escape(node.name)}"][value="${CSS.escape(node.value)}"]`;
  const home = node.closest("details[id], form[action]");
  const of = home && (home.id ? `#${CSS.escape(home.id)}` : `form[action="${CSS.escape(home.getAttribute("action"))}"]`);
  return of ? `${of} ${node.localName}` : node.localName;
}
