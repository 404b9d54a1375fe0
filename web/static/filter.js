// The filter above the list of tasks: what can be written next, as one types, and where it is wrong.
//
//   input ──► 120 ms without a key ──► /hints, the one before is given up ──► list below the field, over the page
//
// Up and down choose, Enter and Tab take what is chosen, Escape closes. Without a choice Enter filters and Tab goes on, as in any field.
// Without this script the field is a plain one.
"use strict";
(() => {
  const field = document.getElementById("where");
  const list = document.getElementById("hints");
  const wrong = document.getElementById("filter-wrong");
  if (!field || !list) return;
  const box = list.parentElement;
  const WAIT_MS = 120;
  let found = null, chosen = -1, due = 0, asking = null;

  // The server counts characters, a browser halves of some.
  const characters = (text, units) => [...text.slice(0, units)].length;
  const units = (text, place) => [...text].slice(0, place).join("").length;

  function close() {
    clearTimeout(due);
    if (asking) asking.abort();
    asking = found = null;
    chosen = -1;
    box.hidden = true;
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
  }
  function choose(place) {
    chosen = place;
    [...list.children].forEach((node, at) => node.setAttribute("aria-selected", String(at === place)));
    if (place < 0) { field.removeAttribute("aria-activedescendant"); return; }
    field.setAttribute("aria-activedescendant", list.children[place].id);
    list.children[place].scrollIntoView({ block: "nearest" });
  }
  function line(hint, at) {
    const node = document.createElement("li"), text = document.createElement("code");
    node.id = `hint-${at}`;
    node.setAttribute("role", "option");
    node.setAttribute("aria-selected", "false");
    text.textContent = hint.text;
    node.append(text);
    if (hint.meaning) {
      const meaning = document.createElement("span");
      meaning.textContent = hint.meaning;
      node.append(meaning);
    }
    return node;
  }
  function show(answer) {
    found = answer;
    list.replaceChildren(...answer.hints.map(line));
    choose(-1);
    box.hidden = !answer.hints.length;
    field.setAttribute("aria-expanded", String(!box.hidden));
    // One thing at a time below the field: what is wrong with other words is said when there is nothing to choose.
    wrong.hidden = !answer.wrong || !box.hidden;
    wrong.textContent = answer.wrong ? answer.wrong.reason : "";
    if (answer.wrong) field.setAttribute("aria-invalid", "true"); else field.removeAttribute("aria-invalid");
  }
  async function ask() {
    if (asking) asking.abort();
    const mine = asking = new AbortController(), text = field.value;
    const words = new URLSearchParams({ text, at: characters(text, field.selectionStart) });
    try {
      const answer = await fetch(`/hints?${words}`, { signal: mine.signal });
      if (!answer.ok) { close(); return; }
      const read = await answer.json();
      if (asking === mine && field.value === text && document.activeElement === field) show(read);
    } catch { if (asking === mine) close(); /* given up, or the page is away: one types on */ }
  }
  function soon() { clearTimeout(due); due = setTimeout(ask, WAIT_MS); }
  function take(place) {
    const hint = found.hints[place], text = field.value;
    const start = units(text, found.start), stop = units(text, found.stop);
    const behind = text.slice(stop), blank = hint.is_whole && !behind ? " " : "";
    field.value = text.slice(0, start) + hint.text + blank + behind;
    const cursor = start + hint.text.length + blank.length;
    field.setSelectionRange(cursor, cursor);
    close();
    if (!hint.is_whole) ask();
  }

  field.addEventListener("input", soon);
  field.addEventListener("blur", () => { close(); wrong.hidden = true; });
  field.addEventListener("keydown", (event) => {
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    const isOpen = !box.hidden, last = list.children.length - 1;
    const does = {
      ArrowDown: () => { if (isOpen) choose(chosen >= last ? 0 : chosen + 1); else ask(); },
      ArrowUp: isOpen && (() => choose(chosen <= 0 ? last : chosen - 1)),
      Enter: isOpen && chosen >= 0 && (() => take(chosen)),
      Tab: isOpen && chosen >= 0 && !event.shiftKey && (() => take(chosen)),
      Escape: (isOpen || !wrong.hidden) && (() => { close(); wrong.hidden = true; }),
    }[event.key];
    if (!does) return;
    event.preventDefault();
    event.stopPropagation();
    does();
  });
  // Not click: the field would have lost the focus by then.
  list.addEventListener("mousedown", (event) => {
    event.preventDefault();
    const node = event.target.closest("li");
    if (node) take([...list.children].indexOf(node));
  });

  if (field.dataset.start !== undefined) {
    field.focus({ preventScroll: true });
    field.setSelectionRange(units(field.value, field.dataset.start), units(field.value, field.dataset.stop));
  }
})();
