// Keys for lists: "/" searches, "j" and "k" move, Enter opens, "?" says so. Never while somebody
// types, and never with Ctrl, Alt or Meta, which belong to the browser.

const ROWS = "tr[data-href]";
const CURRENT = "is-current";
const SEARCH = "/tasks/#search";

const help = document.getElementById("keys-help");

function rows() {
  return Array.from(document.querySelectorAll(ROWS)).filter((row) => row.offsetParent !== null);
}

function move(step) {
  const all = rows();
  if (all.length === 0) return;
  const at = all.findIndex((row) => row.classList.contains(CURRENT));
  const next = at < 0 ? 0 : Math.min(Math.max(at + step, 0), all.length - 1);
  all[at]?.classList.remove(CURRENT);
  all[next].classList.add(CURRENT);
  // The focus goes along, so that a screen reader says where one is, and Tab goes on from here.
  all[next].querySelector("a")?.focus({ preventScroll: true });
  all[next].scrollIntoView({ block: "nearest" });
}

function open(event) {
  // On a link or a button Enter does already what it says.
  if (event.target.closest("a, button, summary")) return false;
  const row = document.querySelector(`${ROWS}.${CURRENT}`);
  if (row) location.assign(row.dataset.href);
  return row !== null;
}

function search() {
  const field = document.getElementById("search");
  // Pages without one lead to the page that has.
  if (!field) location.assign(SEARCH);
  field?.focus();
  field?.select();
}

function explain() {
  help?.showModal();
  return Boolean(help);
}

const KEYS = {
  "/": search,
  "?": explain,
  j: () => move(1),
  k: () => move(-1),
  Enter: open,
};

if (location.hash === "#search") search();

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
  if (event.target.closest("input, textarea, select, [contenteditable]")) return;
  // A dialog has keys of its own; Escape closes it without our help.
  if (document.querySelector("dialog[open]")) return;
  if (KEYS[event.key]?.(event) !== false && event.key in KEYS) event.preventDefault();
});
