// [data-live=URL]: listens to the event stream and has the changed parts fetched; says how fresh it is.
const SAY_MS = 5000;

export function lives(root) {
  root.querySelectorAll("[data-live]").forEach((bar) => listen(bar, root.querySelector("[data-live-say]")));
}

function listen(bar, say) {
  const fetcher = bar.querySelector("[data-live-fetch]");
  const pause = bar.querySelector("[data-live-pause]");
  const source = new EventSource(bar.dataset.live);
  let waiting = 0;
  bar.hidden = false;
  source.addEventListener("open", () => show(bar, "live"));
  source.addEventListener("error", () => show(bar, source.readyState === EventSource.CLOSED ? "over" : "late"));
  source.addEventListener("aicp", () => {
    if (pause.getAttribute("aria-pressed") === "true") show(bar, "paused", ++waiting);
    else window.htmx.trigger(fetcher, "aicp");
  });
  pause.addEventListener("click", () => {
    const paused = pause.getAttribute("aria-pressed") !== "true";
    pause.setAttribute("aria-pressed", String(paused));
    pause.textContent = paused ? "Go on" : "Pause updates";
    waiting = 0;
    show(bar, paused ? "paused" : source.readyState === EventSource.OPEN ? "live" : "late");
    if (!paused) window.htmx.trigger(fetcher, "aicp");
  });
  document.addEventListener("htmx:oobAfterSwap", announce(say));
  window.addEventListener("pagehide", () => source.close());
  window.addEventListener("pageshow", (event) => event.persisted && location.reload());
}

const STATES = { live: ["●", "Live"], late: ["▲", "Reconnecting"], paused: ["‖", "Paused"], over: ["■", "Not live: load the page again"] };

function show(bar, state, count = 0) {
  const pill = bar.querySelector("[data-live-pill]");
  const [icon, word] = STATES[state];
  pill.dataset.state = state;
  pill.querySelector(".icon").textContent = icon;
  pill.querySelector("[data-live-word]").textContent = count ? `${word}, ${count} new` : word;
}

// Screen readers hear the newest state, at most once in five seconds.
function announce(say) {
  let timer = 0;
  let last = "";
  return () => {
    timer ||= setTimeout(() => {
      timer = 0;
      const words = document.querySelector("[data-announce]")?.dataset.announce ?? "";
      if (words !== last) say.textContent = last = words;
    }, SAY_MS);
  };
}
