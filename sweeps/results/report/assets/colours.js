// A colour and a shape for every arm: eight colours that are told apart with colour blindness too.
const HUES = ["#2b80c5", "#e07b00", "#0f9d74", "#d1609f", "#8a68bd", "#59b3dd", "#a08a1a", "#c8463a"];
const SHAPES = ["circle", "square", "triangle", "diamond"];

const hue = i => HUES[code(ARM, i) % HUES.length];
const hueOf = arm => HUES[Math.max(0, ARMS.indexOf(String(arm))) % HUES.length];
const shapeOf = place => SHAPES[Math.floor(place / HUES.length) % SHAPES.length];

function swatch(arm) {
  return el("span", {className: `swatch ${shapeOf(Math.max(0, ARMS.indexOf(String(arm))))}`, css: {"--hue": hueOf(arm)}, aria: {hidden: "true"}});
}

function mark(pen, shape, x, y, r) {
  pen.beginPath();
  if (shape === "square") pen.rect(x - r * .9, y - r * .9, r * 1.8, r * 1.8);
  else if (shape === "triangle") { pen.moveTo(x, y - r * 1.2); pen.lineTo(x + r * 1.1, y + r * .8); pen.lineTo(x - r * 1.1, y + r * .8); pen.closePath(); }
  else if (shape === "diamond") { pen.moveTo(x, y - r * 1.3); pen.lineTo(x + r * 1.1, y); pen.lineTo(x, y + r * 1.3); pen.lineTo(x - r * 1.1, y); pen.closePath(); }
  else pen.arc(x, y, r, 0, 7);
}

// A colour of the style sheet, as the scheme (light or dark) has it now.
function ink(name) {
  const probe = el("i", {css: {color: `var(--${name})`, display: "none"}});
  document.body.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}

// A text that may break after each underscore.
function breakable(text) {
  return text.split(/(?<=_)/).flatMap((part, place) => place ? [el("wbr"), part] : [part]);
}

// An arm's name: options in bold, keys below.
function armName(arm) {
  const words = armText(arm).split(" "), keys = words.filter(word => word.includes("="));
  const name = words.filter(word => !word.includes("=")).join(" ") || keys.shift();
  return [el("span", {className: "arm-head"}, swatch(arm), el("b", {}, ...breakable(name))),
    ...keys.map(key => el("small", {textContent: key}))];
}

function nextTheme() {
  const now = document.documentElement.dataset.theme ?? "system";
  setTheme({system: "light", light: "dark", dark: "system"}[now]);
  redraw();
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  $("#theme").textContent = {system: "Theme: auto", light: "Theme: light", dark: "Theme: dark"}[theme];
  try { localStorage.setItem("sweeps-theme", theme); } catch { /* a browser that keeps nothing */ }
}
