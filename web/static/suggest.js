// A field whose list of suggestions has an address, <datalist data-from="/hints/strike">: they are asked for when one comes to the field, and
// each goes on behind the words that stand there already. Without this script the field is a plain one.
"use strict";
(() => {
  const known = new Map();  // by address, what was answered
  const ANSWER_MS = 10000;  // for so long it serves

  async function ask(from) {
    const had = known.get(from);
    if (had && Date.now() - had.at < ANSWER_MS) return had.words;
    try {
      const answer = await fetch(from);
      if (!answer.ok) return [];
      const words = await answer.json();
      known.set(from, { at: Date.now(), words });
      return words;
    } catch { return []; /* the page is away: one types on */ }
  }
  async function fill(field) {
    const words = await ask(field.list.dataset.from), before = field.value.replace(/[^\s(]*$/, "");
    field.list.replaceChildren(...words.map((word) => {
      const option = document.createElement("option");
      option.value = before + word;
      return option;
    }));
  }
  for (const kind of ["focusin", "input"])
    document.addEventListener(kind, (event) => {
      const field = event.target;
      if (field instanceof HTMLInputElement && field.list && field.list.dataset.from) fill(field);
    });
})();
