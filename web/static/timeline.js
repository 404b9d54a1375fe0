// What ran when: a bar says what it is when it is pointed at or chosen by keys, and a part of the time is enlarged by dragging over it.
//
//   arrows choose a bar (up and down: the lane above and below), Enter opens it, + and - enlarge and shrink the time around it;
//   one finger moves the time, two enlarge and shrink it, a tap says what a bar is and a second one opens it
"use strict";
(() => {
  const BY = 2, SMALLEST = 0.05, STILL = 5, STILL_FINGER = 12, DAY = 86400;
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
  addEventListener("pointerover", (event) => { const bar = near(event, ".lanes rect[data-key]"); if (bar && !dragged && event.pointerType !== "touch") choose(bar); });
  let tapped = null;  // the bar that was chosen before a finger came down
  addEventListener("click", (event) => {
    const bar = near(event, ".lanes rect[data-key]");
    if (!bar || event.defaultPrevented || far > (event.pointerType === "touch" ? STILL_FINGER : STILL)) return;
    if (event.pointerType === "touch" && tapped !== bar.dataset.key) { choose(bar); return; }
    location.assign(bar.dataset.href);
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

  // fingers: the lanes follow them, and the time that is then in sight is asked for when they have gone

  // A time that was at x is seen at x * scale + by, in pixels from the left end of the lanes.
  const fingers = new Map();  // by pointer: where it is
  let base = null, left = 0, width = 0;  // what was done before the last finger came or went, and where they were then
  const middle = () => [...fingers.values()].reduce((sum, x) => sum + x, 0) / fingers.size - left;
  const apart = () => { const [one, two] = [...fingers.values()]; return two === undefined ? 1 : Math.max(20, Math.abs(one - two)); };
  function gesture() {
    const by = apart() / base.apart;
    return { scale: base.scale * by, by: (base.by - base.middle) * by + middle() };
  }
  const begin = (made) => { base = { ...made, middle: middle(), apart: apart() }; };
  function follow({ scale, by }) {
    for (const lanes of document.querySelectorAll(".lanes")) { lanes.style.transformOrigin = "0 0"; lanes.style.transform = scale === 1 && by === 0 ? "" : `translateX(${by}px) scaleX(${scale})`; }
  }
  addEventListener("pointerdown", (event) => {
    const lanes = near(event, ".lanes");
    if (event.pointerType !== "touch" || !lanes) return;
    const made = fingers.size ? gesture() : { scale: 1, by: 0 };
    if (!fingers.size) { tapped = chosen; ({ left, width } = lanes.getBoundingClientRect()); }
    fingers.set(event.pointerId, event.clientX);
    begin(made);
  });
  addEventListener("pointermove", (event) => {
    if (!fingers.has(event.pointerId)) return;
    fingers.set(event.pointerId, event.clientX);
    far = Math.max(far, Math.abs(middle() - base.middle), Math.abs(apart() - base.apart));
    if (far > STILL_FINGER) follow(gesture());
  });
  const lifted = (event) => {
    if (!fingers.has(event.pointerId)) return;
    const made = gesture();
    fingers.delete(event.pointerId);
    if (fingers.size) { begin(made); return; }
    if (event.type === "pointercancel" || far <= STILL_FINGER) { follow({ scale: 1, by: 0 }); return; }
    const { since, until } = span(), at = (x) => since + (x - made.by) / made.scale / width * (until - since);
    show(at(0), at(width));
  };
  addEventListener("pointerup", lifted);
  addEventListener("pointercancel", lifted);  // it has become a scroll of the page

  // dragging, with a mouse or a pen

  let dragged = null, far = 0;
  const place = (event) => { const box = dragged.lanes.getBoundingClientRect(); return Math.max(0, Math.min(1, (event.clientX - box.left) / box.width)); };
  addEventListener("pointerdown", (event) => {
    const lanes = near(event, ".lanes");
    if (event.isPrimary) far = 0;
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
