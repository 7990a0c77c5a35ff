// How elements are made. Data only ever becomes text or an attribute's value: nothing here parses HTML.

/**
 * An element. `attributes`: names as in HTML; `class`, `on: {event: listener}`, `data: {name: value}`; a value of false,
 * null or undefined leaves the attribute out, true sets it empty. Properties that HTML has no attribute for (`value`,
 * `checked`, `srcObject`) are set as properties. Children: nodes, strings, or nested arrays; null and false are left out.
 */
export function el(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

const SVG = "http://www.w3.org/2000/svg";

/** The same for SVG. */
export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

const PROPERTIES = new Set(["value", "checked", "selected", "srcObject", "muted", "indeterminate"]);

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name === "on") for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    else if (name === "data") Object.assign(node.dataset, value);
    else if (PROPERTIES.has(name)) node[name] = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...flat(children));
  return node;
}

function flat(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}

/** `node` with these children instead of those that it had. */
export function fill(node, ...children) {
  node.replaceChildren(...flat(children));
  return node;
}

/**
 * The children of `parent` brought to `items`, in order, keeping the nodes of those that stay, so that focus and scroll
 * stay too. `make(item)` builds a node; `update(node, item)` brings one up to date. Keys are strings.
 */
export function reconcile(parent, items, key, make, update) {
  const before = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const name = key(item);
    let node = before.get(name);
    if (node) before.delete(name);
    else {
      node = make(item);
      node.dataset.key = name;
    }
    update(node, item);
    if (node === place) place = place.nextElementSibling;
    else parent.insertBefore(node, place);
  }
  for (const node of before.values()) node.remove();
}
