// The word of a one-time link stands behind the #, which is not sent: it is taken from there into a form.
"use strict";
(() => {
  const form = document.getElementById("open");
  form.elements.word.value = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
  if (form.elements.word.value) form.submit();
})();
