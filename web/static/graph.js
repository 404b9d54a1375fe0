// The graph of a flow: moved and enlarged by pointer, wheel, fingers or keys. Without this script it scrolls.
//
//   arrows move, + and - enlarge and shrink, 0 shows all; with the pointer: drag, Ctrl and wheel; one finger moves, two enlarge
"use strict";
(() => {
  const BY = 1.25, STEP = 60, LARGEST = 6, SMALLEST = 0.1, STILL = 4, STILL_FINGER = 12, READABLE = 0.7, LOWEST = 120, HIGHEST = 0.6;
  let view = null;   // x, y, scale as a person has set them; null: all of it, where that can be read
  let whole = null;  // width, height of the drawing
  let shown = "";    // the viewBox that stands there by us; another one is a new drawing of the server's
  const box = () => document.querySelector(".graph");
  const svg = () => document.querySelector(".graph > svg");

  function prepare() {
    const drawn = svg();
    if (!drawn) return;
    if (!box().classList.contains("moves")) box().classList.add("moves");
    const is = drawn.getAttribute("viewBox");
    if (is === shown) return;
    const [, , width, height] = is.split(" ").map(Number);
    whole = { width, height };
    apply();
  }
  const set = (node, name, value) => { if (node.getAttribute(name) !== value) node.setAttribute(name, value); };
  function apply() {
    const width = box().getBoundingClientRect().width;
    if (!width || !whole) return;
    box().style.height = `${Math.max(LOWEST, Math.min(HIGHEST * innerHeight, whole.height * Math.min(1, width / whole.width)))}px`;
    const frame = box().getBoundingClientRect();
    const { x, y, scale } = current();
    shown = `${x} ${y} ${frame.width / scale} ${frame.height / scale}`;
    set(svg(), "viewBox", shown);
    set(svg(), "width", String(frame.width));
    set(svg(), "height", String(frame.height));
  }
  function current() {
    return view || { x: 0, y: 0, scale: Math.max(READABLE, fitting()) };
  }
  function fitting() {
    const frame = box().getBoundingClientRect();
    return Math.min(1, frame.width / whole.width, frame.height / whole.height);
  }
  function move(by_x, by_y) {
    const { x, y, scale } = current(), frame = box().getBoundingClientRect();
    // some of it stays in sight
    const within = (value, length, seen) => Math.max(-seen / scale + 40, Math.min(length - 40, value));
    view = { x: within(x + by_x / scale, whole.width, frame.width), y: within(y + by_y / scale, whole.height, frame.height), scale };
    apply();
  }
  function zoom(by, at_x, at_y) {
    const { x, y, scale } = current(), frame = box().getBoundingClientRect();
    const next = Math.max(SMALLEST, Math.min(LARGEST, scale * by));
    const px = at_x === undefined ? frame.width / 2 : at_x - frame.left, py = at_y === undefined ? frame.height / 2 : at_y - frame.top;
    view = { x: x + px / scale - px / next, y: y + py / scale - py / next, scale: next };
    apply();
  }
  function all() { view = { x: 0, y: 0, scale: fitting() }; apply(); }

  const keys = {
    ArrowLeft: () => move(-STEP, 0), ArrowRight: () => move(STEP, 0), ArrowUp: () => move(0, -STEP), ArrowDown: () => move(0, STEP),
    "+": () => zoom(BY), "=": () => zoom(BY), "-": () => zoom(1 / BY), 0: all,
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !event.target.closest || !event.target.closest(".graph") || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
  addEventListener("wheel", (event) => {
    if (!event.target.closest(".graph") || !(event.ctrlKey || event.metaKey)) return;  // else the page scrolls
    event.preventDefault();
    zoom(event.deltaY < 0 ? BY : 1 / BY, event.clientX, event.clientY);
  }, { passive: false });

  const down = new Map();   // by pointer: where it is, and where it was put down
  let moved = false, apart = 0;
  const distance = () => { const [one, two] = [...down.values()]; return Math.hypot(one.x - two.x, one.y - two.y); };
  addEventListener("pointerdown", (event) => {
    if (!event.target.closest(".graph") || event.button) return;
    if (!down.size) moved = false;
    down.set(event.pointerId, { x: event.clientX, y: event.clientY, from_x: event.clientX, from_y: event.clientY });
    apart = down.size === 2 ? distance() : 0;
  });
  addEventListener("pointermove", (event) => {
    const was = down.get(event.pointerId);
    if (!was || !svg()) return;
    const by_x = event.clientX - was.x, by_y = event.clientY - was.y;
    // A finger that taps trembles: it is no drag before it has gone further than that.
    const still = event.pointerType === "touch" ? STILL_FINGER : STILL;
    moved = moved || down.size > 1 || Math.hypot(event.clientX - was.from_x, event.clientY - was.from_y) > still;
    was.x = event.clientX;
    was.y = event.clientY;
    if (down.size === 2 && apart) {
      const now = distance(), [one, two] = [...down.values()];
      zoom(now / apart, (one.x + two.x) / 2, (one.y + two.y) / 2);
      move(-by_x / 2, -by_y / 2);  // the middle of the two goes half as far as the one that moves
      apart = now;
    } else if (moved && down.size === 1) move(-by_x, -by_y);
  });
  for (const name of ["pointerup", "pointercancel"]) addEventListener(name, (event) => { down.delete(event.pointerId); apart = 0; });
  // what was a drag is no click on a box; and a box is not dragged away as a link
  addEventListener("click", (event) => {
    if (moved && event.target.closest && event.target.closest(".graph")) { event.preventDefault(); event.stopPropagation(); }
    const button = event.target.closest && event.target.closest("button[data-graph]");
    if (button) keys[button.dataset.graph]();
  }, true);
  addEventListener("dragstart", (event) => { if (event.target.closest && event.target.closest(".graph")) event.preventDefault(); });

  prepare();
  new MutationObserver(prepare).observe(document.getElementById("live"), { subtree: true, attributes: true, attributeFilter: ["viewBox", "class"], childList: true });
  addEventListener("resize", () => { if (svg()) apply(); });
})();
