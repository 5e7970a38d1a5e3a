// Elements from data, and a page that changes only where the data did: focus, selection and scrolling stay.

const SVG = document.querySelector("svg").namespaceURI;

// Said in so many words, since on a phone tables are laid out as cards, and browsers take them for none.
const ROLES = { table: "table", thead: "rowgroup", tbody: "rowgroup", tr: "row", td: "cell" };
const HEADERS = { row: "rowheader", col: "columnheader" };

export const h = (tag, attributes, ...children) =>
  filled(document.createElement(tag), { role: ROLES[tag] || HEADERS[tag === "th" && attributes.scope], ...attributes }, children);

export const svg = (tag, attributes, ...children) =>
  filled(document.createElementNS(SVG, tag), attributes, children);

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  // Whatever a task says becomes text here, never markup.
  const there = children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
  element.append(...there.map((child) => (child instanceof Node ? child : String(child))));
  if (element.dataset.value !== undefined) element.value = element.dataset.value;
  return element;
}

// Makes `old` what `fresh` is. Children with the same `data-key` are the same.
export function morph(old, fresh) {
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  morphChildren(old, [...fresh.childNodes]);
  const value = fresh.dataset?.value;
  if (value !== undefined && document.activeElement !== old) old.value = value;
}

export function morphChildren(old, fresh) {
  const keyed = new Map();
  for (const child of old.children) {
    if (child.dataset.key !== undefined) keyed.set(child.dataset.key, child);
  }
  let next = old.firstChild;
  for (const child of fresh) {
    const known = keyed.get(child.dataset?.key);
    if (known && alike(known, child)) {
      if (known === next) next = next.nextSibling;
      else old.insertBefore(known, next);
      morph(known, child);
    } else if (next && alike(next, child) && child.dataset?.key === undefined && next.dataset?.key === undefined) {
      if (child.nodeType === Node.TEXT_NODE) {
        if (next.data !== child.data) next.data = child.data;
      } else {
        morph(next, child);
      }
      next = next.nextSibling;
    } else {
      old.insertBefore(child, next);
    }
  }
  while (next) {
    const last = next;
    next = next.nextSibling;
    last.remove();
  }
}

const alike = (one, other) => one.nodeType === other.nodeType && one.nodeName === other.nodeName;
