// Two metrics of every job. A rectangle filters the pictures; a picture under the pointer is ringed.
const EDGE = {left: 46, right: 10, top: 10, bottom: 24};
let ringed = null;  // the job that is ringed
let scatter = null;  // {canvas, points, x, y}: what was drawn last

function scatterPanel() {
  const canvas = el("canvas", {id: "scatter", aria: {label: `scatter of ${S.x} and ${S.y}; the table view has the numbers`, role: "img"}});
  const set = key => value => { S[key] = value; S.brush = ""; redraw(); };
  scatter = {canvas, points: [], from: null, to: null};
  canvas.addEventListener("pointerdown", event => { scatter.from = at(event); scatter.to = null; canvas.setPointerCapture(event.pointerId); });
  canvas.addEventListener("pointermove", event => move(event));
  canvas.addEventListener("pointerleave", () => { $("#tip").hidden = true; ring(null); });
  canvas.addEventListener("pointerup", event => release(event));
  return el("section", {className: "panel"}, canvas,
    el("div", {className: "two"}, menu("x", D.metrics, S.x, set("x")), menu("y", D.metrics, S.y, set("y"))),
    el("p", {className: "dim hint", textContent: "Drag a rectangle to pick pictures; click a point to open it."}));
}

function ticks(low, high, count) {
  const raw = (high - low) / count || 1, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map(k => k * power).find(one => one >= raw);
  const told = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step * 1e-9; value += step) told.push(Math.abs(value) < step * 1e-9 ? 0 : +value.toPrecision(10));
  return told;
}

function range(metric, jobs) {
  let low = Infinity, high = -Infinity;
  for (const i of jobs) { const value = num(metric, i); low = Math.min(low, value); high = Math.max(high, value); }
  const pad = (high - low) * .04 || Math.abs(high) * .1 || 1;
  return [low - pad, high + pad];
}

function drawScatter() {
  if (!scatter || !scatter.canvas.isConnected) return;
  const {canvas} = scatter, wide = canvas.clientWidth, tall = canvas.clientHeight, dots = window.devicePixelRatio || 1;
  canvas.width = wide * dots; canvas.height = tall * dots;
  const pen = canvas.getContext("2d");
  pen.scale(dots, dots);
  const jobs = ALL.filter(i => D.metrics.length && num(S.x, i) !== null && num(S.y, i) !== null);
  if (!jobs.length || wide < 60) { scatter.points = []; return; }
  const [left, right] = range(S.x, jobs), [low, high] = range(S.y, jobs);
  scatter.x = value => EDGE.left + (wide - EDGE.left - EDGE.right) * (value - left) / (right - left);
  scatter.y = value => tall - EDGE.bottom - (tall - EDGE.top - EDGE.bottom) * (value - low) / (high - low);
  scatter.back = (x, y) => [left + (right - left) * (x - EDGE.left) / (wide - EDGE.left - EDGE.right), low + (high - low) * (tall - EDGE.bottom - y) / (tall - EDGE.top - EDGE.bottom)];
  axes(pen, wide, tall, ticks(left, right, 4), ticks(low, high, 4));
  const shown = new Set(kept);
  scatter.points = jobs.map(i => [scatter.x(num(S.x, i)), scatter.y(num(S.y, i)), i]);
  canvas.dataset.shown = jobs.filter(i => shown.has(i)).length;
  const r = jobs.length > 1500 ? 2 : jobs.length > 300 ? 2.6 : 3.6;
  for (const on of [false, true]) for (const [x, y, i] of scatter.points) {
    if (shown.has(i) !== on) continue;
    pen.globalAlpha = on ? .8 : .13;
    pen.fillStyle = on ? hue(i) : ink_.dim;
    mark(pen, shapeOf(code(ARM, i)), x, y, r);
    pen.fill();
  }
  pen.globalAlpha = 1;
  const marked = ringed ?? (S.job !== "" ? placeOf.get(S.job) : null);
  for (const [x, y, i] of scatter.points) if (i === marked) { pen.strokeStyle = ink_.ink; pen.lineWidth = 2; pen.beginPath(); pen.arc(x, y, r + 4, 0, 7); pen.stroke(); }
  box(pen);
}

let ink_ = {};  // colours of the scheme, read once a redraw
function readInk() { ink_ = {ink: ink("ink"), dim: ink("dim"), line: ink("line"), accent: ink("accent")}; }

const tick = value => Math.abs(value) >= 1e5 || (value && Math.abs(value) < 1e-3) ? short(value) : String(+value.toPrecision(6)).replace("-", "\u2212");

function axes(pen, wide, tall, xs, ys) {
  pen.font = "11px system-ui, sans-serif"; pen.fillStyle = ink_.dim; pen.strokeStyle = ink_.line; pen.lineWidth = 1;
  pen.textBaseline = "middle"; pen.textAlign = "right";
  for (const y of ys) { const at = Math.round(scatter.y(y)) + .5; pen.beginPath(); pen.moveTo(EDGE.left, at); pen.lineTo(wide - EDGE.right, at); pen.stroke(); pen.fillText(tick(y), EDGE.left - 6, at); }
  pen.textAlign = "center"; pen.textBaseline = "top";
  for (const x of xs) { const at = Math.round(scatter.x(x)) + .5; pen.beginPath(); pen.moveTo(at, EDGE.top); pen.lineTo(at, tall - EDGE.bottom); pen.stroke(); pen.fillText(tick(x), at, tall - EDGE.bottom + 6); }
}

function box(pen) {
  let corners = scatter.from && scatter.to ? [...scatter.from, ...scatter.to] : null;
  const kept_ = brushBox();
  if (!corners && kept_) corners = [scatter.x(kept_[0]), scatter.y(kept_[2]), scatter.x(kept_[1]), scatter.y(kept_[3])];
  if (!corners) return;
  const [x, y, X, Y] = corners;
  pen.fillStyle = pen.strokeStyle = ink_.accent; pen.globalAlpha = .12; pen.fillRect(x, y, X - x, Y - y);
  pen.globalAlpha = .8; pen.strokeRect(x, y, X - x, Y - y); pen.globalAlpha = 1;
}

const at = event => [event.offsetX, event.offsetY];

function nearest([x, y]) {
  let best = null, least = 144;
  for (const [px, py, i] of scatter.points) { const far = (px - x) ** 2 + (py - y) ** 2; if (far < least) { least = far; best = i; } }
  return best;
}

function move(event) {
  if (scatter.from) { scatter.to = at(event); drawScatter(); return; }
  const i = nearest(at(event));
  tip(i, event);
  ring(i);
}

function release(event) {
  const {from, to} = scatter;
  scatter.from = scatter.to = null;
  if (from && to && Math.abs(to[0] - from[0]) + Math.abs(to[1] - from[1]) > 8) {
    const [x, y] = scatter.back(Math.min(from[0], to[0]), Math.max(from[1], to[1])), [X, Y] = scatter.back(Math.max(from[0], to[0]), Math.min(from[1], to[1]));
    S.brush = [x, X, y, Y].map(value => +value.toPrecision(5)).join(",");
  } else {
    const i = nearest(at(event));
    if (i !== null) { openZoom(i); return; }
    S.brush = "";
  }
  redraw();
}

function ring(i) {
  if (ringed === i) return;
  ringed = i;
  drawScatter();
  document.querySelectorAll(".job.ringed").forEach(node => node.classList.remove("ringed"));
  if (i !== null) document.querySelectorAll(`.job[data-key="${CSS.escape(D.keys[i])}"]`).forEach(node => node.classList.add("ringed"));
}

function tip(i, event) {
  const node = $("#tip");
  node.hidden = i === null;
  if (i === null) return;
  node.replaceChildren(picture(i, ""), el("div", {textContent: col(ROW, i)}), el("div", {className: "dim", textContent: armText(col(ARM, i))}));
  node.style.left = `${Math.min(event.clientX + 14, innerWidth - 170)}px`;
  node.style.top = `${Math.min(event.clientY + 12, innerHeight - 210)}px`;
}
