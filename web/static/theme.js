// Before anything is drawn: the theme that was chosen here; else the system's.
"use strict";
(() => {
  let chosen = null;
  try { chosen = localStorage.getItem("tq-theme"); } catch { /* storage is forbidden: the system's theme */ }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
