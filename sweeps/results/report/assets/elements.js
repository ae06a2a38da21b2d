// Elements. All text of the table goes through textContent: none of it is ever read as HTML.
const $ = (query, at = document) => at.querySelector(query);

function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  fill(node, props);
  node.append(...children.flat().filter(child => child !== null && child !== undefined && child !== false));
  return node;
}

function fill(node, props) {
  for (const [key, value] of Object.entries(props)) {
    if (key === "data") Object.assign(node.dataset, value);
    else if (key === "css") for (const [name, one] of Object.entries(value)) node.style.setProperty(name, one);
    else if (key === "aria") for (const [name, one] of Object.entries(value)) node.setAttribute(name === "role" ? name : `aria-${name}`, one);
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node[key] = value;
  }
}

function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

// A menu of options: names, or [value, text] pairs.
function menu(label, options, value, change, none) {
  const select = el("select", {onchange: event => change(event.target.value), aria: {label}});
  if (none !== undefined) select.append(el("option", {value: "", textContent: none}));
  for (const option of options) {
    const [key, text] = Array.isArray(option) ? option : [option, titleOf(option)];
    select.append(el("option", {value: key, textContent: text}));
  }
  select.value = value;
  return el("label", {className: "field"}, el("span", {textContent: label}), select);
}

function toggle(label, checked, change, title = "") {
  return el("label", {className: "toggle", title},
    el("input", {type: "checkbox", checked, onchange: event => change(event.target.checked)}), label);
}

function button(text, press, props = {}) {
  return el("button", {type: "button", textContent: text, onclick: press, ...props});
}

// Four digits; more say nothing of a picture.
function short(value) {
  if (value === null || value === undefined) return "";
  if (typeof value !== "number") return String(value);
  const size = Math.abs(value);
  if (size && (size < 1e-3 || size >= 1e5)) return value.toExponential(1).replace("-", "\u2212").replace("e\u2212", "e-").replace("e+", "e");
  const text = Number.isInteger(value) ? String(value) : size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : size >= 1 ? value.toFixed(2) : value.toFixed(3);
  return text.replace("-", "\u2212");
}

function signed(value) {
  if (value === null || value === undefined) return "";
  return (value > 0 ? "+" : "") + short(value);
}

const mean = values => values.length ? values.reduce((sum, one) => sum + one, 0) / values.length : null;

async function copyText(text, near) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {  // where the page is no secure context
    const area = el("textarea", {value: text});
    near.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}
