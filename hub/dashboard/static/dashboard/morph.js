// Makes an element of the page equal to the server's HTML of it, and touches no more than differs.
//
// So the focus, the scroll position, open <details> and marked rows stay where they are.

// Put in by the browser's side next to the server's elements.
const OURS = "[data-keep]";
// Set by the browser: what the server says of it is how the page begins.
const CURRENT = "is-current";

export function patch(id, html) {
  const old = document.getElementById(id);
  if (html === "") {
    old?.remove();
    return;
  }
  const fresh = parsed(html);
  if (!fresh) return;
  if (old) morph(old, fresh);
  else add(fresh);
}

function parsed(html) {
  // Scripts in a template do not run, nor after it is put into the page.
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content.firstElementChild;
}

function add(fresh) {
  const list = document.getElementById(fresh.dataset.into);
  if (!list) return;
  if ("atStart" in fresh.dataset) list.prepend(fresh);
  else list.append(fresh);
}

function morph(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeName !== fresh.nodeName || idOf(old) !== idOf(fresh)) {
    old.replaceWith(fresh);
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.nodeValue = fresh.nodeValue;
    return;
  }
  if (isSameTime(old, fresh)) return;
  morphAttributes(old, fresh);
  // A text area's children are its first value; what was typed is not among them.
  if (old.nodeName !== "TEXTAREA") morphChildren(old, fresh);
}

// Its text is the reader's by now: relative, or in another zone.
function isSameTime(old, fresh) {
  return old.matches("time[data-ms]") && old.dataset.ms === fresh.dataset.ms;
}

function morphAttributes(old, fresh) {
  const isCurrent = old.classList.contains(CURRENT);
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !isTheirs(old, name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value && !isTheirs(old, name)) old.setAttribute(name, value);
  }
  if (isCurrent) old.classList.add(CURRENT);
}

// Attributes that whoever looks at the page changes with the mouse.
function isTheirs(element, name) {
  return name === "open" && (element.nodeName === "DETAILS" || element.nodeName === "DIALOG");
}

function morphChildren(old, fresh) {
  const wanted = new Set(Array.from(fresh.children, idOf).filter(Boolean));
  const named = new Map();
  for (const child of [...old.children]) {
    const id = idOf(child);
    if (!id || child.matches(OURS)) continue;
    if (wanted.has(id)) named.set(id, child);
    else child.remove();
  }
  let next = old.firstChild;
  for (const want of [...fresh.childNodes]) {
    while (next && isOurs(next)) next = next.nextSibling;
    const have = named.get(idOf(want));
    if (have) {
      if (have === next) next = next.nextSibling;
      else old.insertBefore(have, next);
      morph(have, want);
    } else if (next && !idOf(next)) {
      const after = next.nextSibling;
      morph(next, want);
      next = after;
    } else {
      old.insertBefore(want, next);
    }
  }
  while (next) {
    const after = next.nextSibling;
    if (!isOurs(next)) next.remove();
    next = after;
  }
}

function isOurs(node) {
  return node.nodeType === Node.ELEMENT_NODE && node.matches(OURS);
}

function idOf(node) {
  return node.nodeType === Node.ELEMENT_NODE ? node.id : "";
}
