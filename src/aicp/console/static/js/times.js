// [data-relative]: "3 min ago" kept true while the page is open.
const UNITS = [["day", 86400], ["h", 3600], ["min", 60]];

export function tells(root) {
  setInterval(() => root.querySelectorAll("[data-relative]").forEach(tell), 15000);
}

function tell(node) {
  const at = Date.parse(node.dataset.relative || node.dateTime);
  if (!Number.isNaN(at)) node.textContent = relative((at - Date.now()) / 1000);
}

export function relative(seconds) {
  const size = Math.abs(seconds);
  if (size < 45) return seconds <= 0 ? "just now" : "in a moment";
  const [unit, length] = UNITS.find(([name, of]) => size >= of * 0.95 || name === "min");
  const count = Math.max(Math.round(size / length), 1);
  const words = `${count} ${unit}${unit === "day" && count > 1 ? "s" : ""}`;
  return seconds < 0 ? `${words} ago` : `in ${words}`;
}
