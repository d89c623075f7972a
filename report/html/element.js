// Building DOM without markup: strings from a profile only ever become text or attribute values.

/**
 * Creates an element. Properties are set as attributes, except functions (on… listeners, by event name), booleans
 * (present or absent) and undefined (skipped). Children are nodes or strings; null is skipped.
 */
function element(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/** Creates an SVG element in the same way. */
function svgElement(tag, properties = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), properties, children);
}

function fill(node, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (typeof value === "boolean") node.toggleAttribute(name, value);
    else if (value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

export { element, svgElement };
