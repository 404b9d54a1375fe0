// What makes the page live. Without it every view still works: it is asked for by loading it again.
//
//   stream, one a browser ──► all its pages (BroadcastChannel) ──► "tq:look" ──► htmx asks for the part ──► calm swap
//
// Calm: while a person points into a table, selects text or has a question open, rows stay where they are; numbers in them
// change. What has come and gone meanwhile is counted at the foot, and is put in as soon as the pointer leaves.
"use strict";
(() => {
  const live = document.getElementById("live");
  const $ = (id) => document.getElementById(id);
  const POLL_MS = 5000;       // without a stream
  const SILENCE_MS = 25000;   // the stream beats every ten seconds
  const LOOK_MS = 900;        // not more often, however much happens
  let heard = 0, looked = 0, due = null, pending = null;

  // times, in the zone of the one who looks

  const span = (seconds) => {
    for (const [unit, size] of [["d", 86400], ["h", 3600], ["min", 60]])
      if (seconds >= 2 * size) return `${Math.round(seconds / size)} ${unit}`;
    return `${Math.max(0, Math.round(seconds))} s`;
  };
  const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
  const two = (number) => String(number).padStart(2, "0");
  const clock = (date) => {
    const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
    if (date.toDateString() === new Date().toDateString()) return time;
    return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${time}`;
  };
  const put = (node, text) => { if (node.textContent !== text) node.textContent = text; };
  function tick() {
    const now = Date.now() / 1000;
    for (const node of document.querySelectorAll("time[data-at]")) {
      const at = Number(node.dataset.at), away = now - at, kind = node.dataset.as;
      if (kind === "clock") put(node, clock(new Date(at * 1000)));
      else if (kind === "for") put(node, span(away));
      else if (kind === "left") put(node, span(-away));
      else put(node, away >= 0 ? span(away) : `in ${span(-away)}`);
      if (!node.title) node.title = full.format(new Date(at * 1000));
    }
  }

  // the calm swap

  const isOpen = () => document.querySelector("#live [popover]:popover-open") !== null;
  function isRead() {
    const chosen = getSelection();
    const inside = (node) => node !== null && live.contains(node);
    if (chosen && !chosen.isCollapsed && inside(chosen.anchorNode)) return true;
    const focus = document.activeElement;
    if (focus && inside(focus) && focus.matches("input, textarea, select")) return true;
    return live.matches(":hover") && matchMedia("(hover: hover)").matches;
  }
  const keyOf = (node) => node.nodeType === 1 ? node.dataset.key : undefined;
  function attributes(was, is) {
    for (const { name } of [...was.attributes])
      if (!is.hasAttribute(name) && name !== "title" && name !== "class" && name !== "open") was.removeAttribute(name);
    for (const { name, value } of is.attributes) if (was.getAttribute(name) !== value) was.setAttribute(name, value);
    if (was.hasAttribute("class") && !is.hasAttribute("class")) was.removeAttribute("class");
  }
  // Counts what could not be done because rows must not move.
  function morph(was, is, fixed) {
    if (was.nodeType !== is.nodeType || was.nodeName !== is.nodeName) { was.replaceWith(is.cloneNode(true)); return 0; }
    if (was.nodeType === 3) { if (was.data !== is.data) was.data = is.data; return 0; }
    if (was.nodeType !== 1 || was.isEqualNode(is)) return 0;
    // A form keeps what stands in it, also what the server has put there after a mistake and says once.
    if (was.hasAttribute("data-keep") && was.matches("form, [popover]:popover-open")) return 0;
    if (was.hasAttribute("data-still") && (fixed || was.contains(document.activeElement))) return 1;  // a picture moves as a whole
    const at = was.nodeName === "TIME" && was.dataset.at === is.dataset.at && was.dataset.as === is.dataset.as;
    if (at) return 0;
    // A column that has come or gone: each cell would get what another one has.
    if (fixed && was.nodeName === "TR" && was.children.length !== is.children.length) return 1;
    attributes(was, is);
    const keyed = [...was.children].some(keyOf) || [...is.children].some(keyOf);
    return keyed ? rows(was, is, fixed) : plain(was, is, fixed);
  }
  function plain(was, is, fixed) {
    const old = [...was.childNodes], fresh = [...is.childNodes];
    let held = 0;
    fresh.forEach((node, place) => {
      if (place < old.length) held += morph(old[place], node, fixed);
      else if (fixed && node.nodeType === 1) held += 1;
      else was.append(node.cloneNode(true));
    });
    for (const node of old.slice(fresh.length)) if (fixed && node.nodeType === 1) held += 1; else node.remove();
    return held;
  }
  function rows(was, is, fixed) {
    const known = new Map([...was.children].filter(keyOf).map((node) => [keyOf(node), node]));
    const fresh = [...is.children];
    let held = 0;
    if (fixed) {
      const coming = new Set(fresh.map(keyOf));
      for (const node of fresh) if (known.has(keyOf(node))) held += morph(known.get(keyOf(node)), node, true); else held += 1;
      for (const [key, node] of known) { const gone = !coming.has(key); node.classList.toggle("gone", gone); if (gone) held += 1; }
      return held;
    }
    const keep = fresh.map((node) => {
      const old = known.get(keyOf(node));
      if (!old) { const made = node.cloneNode(true); if (known.size && keyOf(node)) made.classList.add("new"); return made; }
      morph(old, node, false);
      return old;
    });
    for (const node of [...was.childNodes]) if (!keep.includes(node)) node.remove();
    keep.forEach((node, place) => { if (was.children[place] !== node) was.insertBefore(node, was.children[place] || null); });
    return 0;
  }
  // An output is read from its end, and follows what comes, unless one has scrolled up in it.
  const outputs = () => [...live.querySelectorAll("pre.log")].filter((node) => node.scrollHeight - node.clientHeight - node.scrollTop < 8);
  const follow = (found) => { for (const node of found) node.scrollTop = node.scrollHeight; };
  function show(fragment) {
    const fixed = isOpen() || isRead(), followed = outputs();
    const made = live.cloneNode(false);
    made.append(fragment.cloneNode(true));
    const held = plain(live, made, fixed);
    pending = held ? fragment : null;
    $("waiting").hidden = !held;
    put($("waiting"), held ? `${held} change${held === 1 ? "" : "s"} below the pointer, shown when it leaves` : "");
    tick();
    mark();
    follow(followed);
  }
  function settle() { if (pending && !isOpen() && !isRead()) show(pending); }
  if (window.htmx) htmx.defineExtension("calm", {
    isInlineSwap: (style) => style === "calm",
    handleSwap: (style, target, fragment) => {
      if (style !== "calm") return false;
      show(fragment);
      return [];
    },
  });

  // asking

  function look() {
    if (!live || document.hidden || "final" in live.dataset) return;
    const wait = looked + LOOK_MS - Date.now();
    if (wait > 0) { clearTimeout(due); due = setTimeout(look, wait); return; }
    looked = Date.now();
    htmx.trigger(live, "tq:look");
  }
  function away(since) {
    $("away").hidden = since === null;
    $("pulse").dataset.state = since === null ? "here" : "away";
    if (since !== null) put($("away-since"), ` since ${clock(new Date(since * 1000))}`);
  }
  document.body.addEventListener("htmx:configRequest", (event) => {
    if (event.detail.elt === live) event.detail.headers["X-Seen"] = live.dataset.version;
  });
  document.body.addEventListener("htmx:beforeSwap", (event) => {
    const answer = event.detail.xhr;
    if (event.detail.target !== live) return;
    const version = answer.getResponseHeader("X-Version");
    if (version) live.dataset.version = version;
  });
  // What is dear to the master is looked at seldom: it says when there may be something newer than it gave. What has failed
  // is asked for again, for the stream need not say anything new until then.
  document.body.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.elt !== live) return;
    // This key may not see it: the page says so once, and asks no more.
    if (event.detail.xhr.status === 403) { location.reload(); return; }
    const again = event.detail.successful ? 1000 * Number(event.detail.xhr.getResponseHeader("X-Again")) : POLL_MS;
    if (again) { clearTimeout(later); later = setTimeout(look, again); }
  });
  let lost = null, later = 0;
  const gone = () => { lost = lost || Date.now() / 1000; away(lost); };
  document.body.addEventListener("htmx:sendError", gone);
  document.body.addEventListener("htmx:responseError", (event) => { if (event.detail.xhr.status === 503) gone(); });
  document.body.addEventListener("htmx:afterOnLoad", (event) => {
    if (event.detail.xhr.status < 300 && lost !== null) { lost = null; away(null); }
  });

  // the stream

  const channel = "BroadcastChannel" in window ? new BroadcastChannel("tq") : null;
  let version = null;
  // For whoever drives the page with a program: html[data-stream=live] while it hears of changes.
  const mood = (word) => { if (document.documentElement.dataset.stream !== word) document.documentElement.dataset.stream = word; };
  function said(text) {
    heard = Date.now();
    mood("live");
    const now = JSON.parse(text);
    lost = null;
    away(now.away);
    document.dispatchEvent(new CustomEvent("tq:point", { detail: now.point }));
    if (now.refused) { location.assign("/login?why=refused"); return; }
    if (now.version !== version) { version = now.version; look(); }
  }
  const pass = (text) => { said(text); if (channel) channel.postMessage(text); };
  if (channel) channel.onmessage = (event) => said(event.data);
  // Resolves when the stream is lost for good; a browser opens a stream again by itself after other losses.
  const stream = () => new Promise((over) => {
    const source = new EventSource("/events");
    source.onmessage = (event) => pass(event.data);
    source.onerror = () => { if (source.readyState === EventSource.CLOSED) over(); };
    addEventListener("pagehide", () => { source.close(); over(); }, { once: true });
  });
  const lead = async () => { await stream(); await new Promise((done) => setTimeout(done, POLL_MS)); };
  async function listen() {
    for (;;) {
      if (navigator.locks) await navigator.locks.request("tq-stream", lead);
      else await lead();
    }
  }
  let asked = Date.now();
  function beat() {
    tick();
    settle();
    const every = Number(live.dataset.every) * 1000;
    const silent = Date.now() - heard > SILENCE_MS;
    if (silent) mood("polling");
    const wait = every || (silent || lost !== null ? POLL_MS : 0);
    if (wait && Date.now() - asked >= wait) { asked = Date.now(); look(); }
  }

  // keyboard

  const table = () => [...live.querySelectorAll("table.rows tbody tr")].filter((row) => row.querySelector("a"));
  let current = null;
  function mark() {
    if (current === null) return;
    for (const row of table()) row.classList.toggle("current", row.dataset.key === current);
  }
  function step(by) {
    const all = table();
    if (!all.length) return;
    const place = all.findIndex((row) => row.dataset.key === current);
    const row = all[Math.max(0, Math.min(all.length - 1, place < 0 ? (by > 0 ? 0 : all.length - 1) : place + by))];
    current = row.dataset.key;
    mark();
    row.querySelector("a").focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  }
  let going = 0;
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("input, textarea, select")) { if (event.key === "Escape") event.target.blur(); return; }
    if (Date.now() - going < 1200) {
      going = 0;
      const link = document.querySelector(`nav a[data-go="${CSS.escape(event.key)}"]`);
      if (link) { event.preventDefault(); link.click(); }
      return;
    }
    const does = {
      g: () => { going = Date.now(); },
      j: () => step(1),
      k: () => step(-1),
      n: () => { const next = document.querySelector('a[rel="next"]'); if (next) next.click(); },
      p: () => { const at = new URLSearchParams(location.search); if (at.has("before") || at.has("behind")) history.back(); },
      c: () => copy($("command")),
      "/": () => { const where = $("where"); if (where) { where.focus(); where.select(); } else location.assign("/tasks"); },
      "?": () => $("keys-help").togglePopover(),
    }[event.key];
    if (does) { event.preventDefault(); does(); }
  });

  // a change is sent once: a second click, while the first one is on its way, would submit a second task

  let sent = new WeakSet();
  addEventListener("submit", (event) => {
    if (event.target.method !== "post") return;
    if (sent.has(event.target)) event.preventDefault();
    sent.add(event.target);
  });
  addEventListener("pageshow", () => { sent = new WeakSet(); });

  // copying, themes

  async function copy(node) {
    try { await navigator.clipboard.writeText(node.textContent); note("copied"); }
    catch { getSelection().selectAllChildren(node); note("selected: copy it with the keyboard"); }
  }
  let fading = null;
  function note(text) {
    $("said").textContent = text;
    clearTimeout(fading);
    fading = setTimeout(() => { $("said").textContent = ""; }, 2000);
  }
  addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.copy) copy(document.querySelector(button.dataset.copy));
    if (button.dataset.themeChoice) choose(button.dataset.themeChoice);
  });
  function choose(theme) {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    try { if (theme === "auto") localStorage.removeItem("tq-theme"); else localStorage.setItem("tq-theme", theme); }
    catch { /* storage is forbidden: it holds for this page alone */ }
    document.dispatchEvent(new CustomEvent("tq:theme"));
  }

  const here = document.querySelector("nav a[aria-current]");
  if (here) here.scrollIntoView({ block: "nearest", inline: "center" });
  tick();
  follow(live.querySelectorAll("pre.log"));
  setInterval(beat, 1000);
  live.addEventListener("pointerleave", () => setTimeout(settle, 50));
  document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
  if (window.htmx) listen();
})();
