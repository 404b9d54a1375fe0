// What ran when: a bar says what it is when it is pointed at or chosen by keys, and a part of the time is enlarged by dragging over it.
//
//   arrows choose a bar (up and down: the lane above and below), Enter opens it, + and - enlarge and shrink the time around it
"use strict";
(() => {
  const BY = 2, SMALLEST = 0.05, STILL = 5, DAY = 86400;
  const near = (event, what) => event.target.closest && event.target.closest(what);
  const two = (number) => String(number).padStart(2, "0");
  const clock = (at) => { const date = new Date(at * 1000); return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, "0")}`; };

  // which bar, and what it is

  let chosen = null;
  const bars = (lanes) => [...lanes.querySelectorAll("rect[data-key]")];
  const start = (bar) => Number(bar.dataset.started);
  function choose(bar) {
    for (const old of document.querySelectorAll(".lanes rect.chosen")) if (old !== bar) old.classList.remove("chosen");
    chosen = bar && bar.dataset.key;
    if (!bar) return;
    bar.classList.add("chosen");
    tell(bar);
  }
  function tell(bar) {
    const { name, outcome, queue, attempt, took, tasks, started } = bar.dataset;
    const said = document.querySelector(".detail");
    const strong = document.createElement("b");
    strong.textContent = name;
    const many = Number(tasks) > 1 ? ` ${Number(tasks).toLocaleString()} tasks, reported together, ${outcome}; they ran ${took} in all` : ` ${outcome === "running" ? "runs for" : `${outcome} after`} ${took}`;
    const again = Number(attempt) > 1 ? `, attempt ${attempt}` : "";
    said.replaceChildren(strong, `${many}${again}; began ${clock(Number(started))}, queue ${queue}`);
  }
  addEventListener("pointerover", (event) => { const bar = near(event, ".lanes rect[data-key]"); if (bar && !dragged) choose(bar); });
  addEventListener("click", (event) => {
    const bar = near(event, ".lanes rect[data-key]");
    if (bar && !event.defaultPrevented && far <= STILL) location.assign(bar.dataset.href);
  });
  function step(lanes, by, lane) {
    const all = bars(lanes), now = all.find((bar) => bar.dataset.key === chosen);
    if (!now) return choose(all[all.length - 1]);
    const y = Number(now.getAttribute("y"));
    const row = all.filter((bar) => lane ? Math.round(Number(bar.getAttribute("y")) - y) === lane : Math.abs(Number(bar.getAttribute("y")) - y) < 0.5);
    const ordered = row.sort((one, other) => start(one) - start(other));
    if (!ordered.length) return undefined;
    if (lane) return choose(ordered.reduce((best, bar) => Math.abs(start(bar) - start(now)) < Math.abs(start(best) - start(now)) ? bar : best));
    return choose(ordered[Math.max(0, Math.min(ordered.length - 1, ordered.indexOf(now) + by))]);
  }

  // which time

  const tracks = () => document.querySelector(".tracks");
  const span = () => ({ since: Number(tracks().dataset.since), until: Number(tracks().dataset.until) });
  function show(since, until) {
    if (until - since < SMALLEST) { const middle = (since + until) / 2; since = middle - SMALLEST / 2; until = middle + SMALLEST / 2; }
    if (until - since > DAY) since = until - DAY;
    location.assign(`${tracks().dataset.base}?from=${since.toFixed(3)}&until=${until.toFixed(3)}`);
  }
  function zoom(by) {
    const { since, until } = span(), bar = chosen && document.querySelector(`.lanes rect[data-key="${CSS.escape(chosen)}"]`);
    const middle = bar ? Math.max(since, Math.min(until, start(bar))) : (since + until) / 2, half = (until - since) / by / 2;
    show(middle - half, middle + half);
  }
  const keys = {
    ArrowLeft: (lanes) => step(lanes, -1), ArrowRight: (lanes) => step(lanes, 1), ArrowUp: (lanes) => step(lanes, 0, -1), ArrowDown: (lanes) => step(lanes, 0, 1),
    "+": () => zoom(BY), "=": () => zoom(BY), "-": () => zoom(1 / BY),
    Enter: (lanes) => { const bar = bars(lanes).find((one) => one.dataset.key === chosen); if (bar) location.assign(bar.dataset.href); },
  };
  addEventListener("keydown", (event) => {
    const lanes = near(event, ".lanes");
    if (!lanes || !keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key](lanes);
  });
  addEventListener("focusin", (event) => { const lanes = near(event, ".lanes"); if (lanes && lanes.matches(":focus-visible")) step(lanes, 0); });

  // dragging, with a mouse or a pen: a finger scrolls

  let dragged = null, far = 0;
  const place = (event) => { const box = dragged.lanes.getBoundingClientRect(); return Math.max(0, Math.min(1, (event.clientX - box.left) / box.width)); };
  addEventListener("pointerdown", (event) => {
    const lanes = near(event, ".lanes");
    far = 0;
    if (!lanes || event.button || event.pointerType === "touch") return;
    dragged = { lanes, mark: document.createElement("div"), from: 0, to: 0, x: event.clientX };
    dragged.from = dragged.to = place(event);
    dragged.mark.className = "dragged";
    event.preventDefault();
  });
  addEventListener("pointermove", (event) => {
    if (!dragged) return;
    far = Math.max(far, Math.abs(event.clientX - dragged.x));
    if (far <= STILL) return;
    dragged.to = place(event);
    const box = dragged.lanes.getBoundingClientRect(), around = tracks().getBoundingClientRect();
    if (!dragged.mark.isConnected) tracks().append(dragged.mark);
    dragged.mark.style.left = `${box.left - around.left + Math.min(dragged.from, dragged.to) * box.width}px`;
    dragged.mark.style.width = `${Math.abs(dragged.to - dragged.from) * box.width}px`;
  });
  const over = () => { if (dragged) dragged.mark.remove(); dragged = null; };
  addEventListener("pointercancel", over);
  addEventListener("pointerup", () => {
    if (!dragged) return;
    const { from, to } = dragged, { since, until } = span(), at = (part) => since + part * (until - since);
    over();
    if (far > STILL) show(at(Math.min(from, to)), at(Math.max(from, to)));
  });
})();
