// Small behaviours bound by data-* attributes; every page works without them.
import { copies } from "./copy.js";
import { keeps } from "./keep.js";
import { lives } from "./live.js";
import { tells } from "./times.js";

copies(document);
keeps(document);
tells(document);
lives(document);
openAnchor();
window.addEventListener("hashchange", openAnchor);
document.getElementById("error")?.focus();
document.documentElement.dataset.ready = "true";

// A link to a part of a mission opens that part.
function openAnchor() {
  const part = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  const stage = part && part.querySelector(":scope > details.stage");
  if (stage) stage.open = true;
}
