// What is looked at. Every view has an address: the state is the page's hash, and the hash alone.
const SEVERAL_SEEDS = D.columns[DIRECTION].of.length < D.columns[ROW].of.length;
const METRIC = D.optimized ?? D.metrics[0] ?? "";
const DEFAULTS = {
  tab: "pictures", rows: SEVERAL_SEEDS ? DIRECTION : ROW, columns: ARM, metric: METRIC, sort: "", a: "", b: "",
  size: "", fold: "side", pixels: "1", x: D.metrics.includes("dot") ? "dot" : METRIC, y: D.metrics.includes("cosine") ? "cosine" : METRIC,
  brush: "", q: "", job: "", pin: "", curve: "", by: "", down: "1", baseline: "", refs: "1", step: "",
};
const S = {};
let hidden = {};  // column -> values that are filtered out, as text

function readHash() {
  const given = new URLSearchParams(location.hash.slice(1));
  for (const key of Object.keys(DEFAULTS)) S[key] = given.get(key) ?? DEFAULTS[key];
  hidden = {};
  for (const [key, value] of given) {
    const name = key.startsWith("not.") ? key.slice(4) : "";
    if (name && D.columns[name]) (hidden[name] ??= []).push(value);
  }
  for (const key of ["metric", "x", "y"]) if (!D.metrics.includes(S[key])) S[key] = DEFAULTS[key];
  for (const key of ["rows", "columns"]) if (!AXES.includes(S[key])) S[key] = DEFAULTS[key];
  if (!["pictures", "compare", "jobs", "judge"].includes(S.tab)) S.tab = "pictures";
  if (!D.snapshots?.steps.map(String).includes(S.step)) S.step = "";
  if (S.size) S.size = String(Math.min(320, Math.max(32, +S.size || 96)));
}

function hashOf() {
  const told = new URLSearchParams();
  for (const [key, value] of Object.entries(DEFAULTS)) if (S[key] !== value) told.set(key, S[key]);
  for (const [name, values] of Object.entries(hidden)) for (const value of values) told.append(`not.${name}`, value);
  return told.toString();
}

let pending = 0;
function keepHash(step = false) {  // step: the browser's back button undoes it
  clearTimeout(pending);
  const write = () => {
    if (hashOf() === location.hash.slice(1)) return;
    history[step ? "pushState" : "replaceState"](null, "", `#${hashOf()}`);
  };
  if (step) write(); else pending = setTimeout(write, 150);  // browsers refuse many in a second
}

// The jobs that are shown, in the table's order.
let kept = ALL;
function filterJobs() {
  const words = S.q.toLowerCase().split(/\s+/).filter(Boolean);
  const off = Object.entries(hidden).map(([name, values]) => [name, new Set(values)]);
  const box = brushBox();
  kept = ALL.filter(i =>
    off.every(([name, values]) => !values.has(text(col(name, i)))) &&
    (!box || inBox(box, i)) && (!words.length || hasWords(words, i)));
  return kept;
}

function brushBox() {
  const box = S.brush.split(",").map(Number);
  return S.brush && box.length === 4 && box.every(Number.isFinite) ? box : null;
}

function inBox([left, right, low, high], i) {
  const x = num(S.x, i), y = num(S.y, i);
  return x !== null && y !== null && x >= left && x <= right && y >= low && y <= high;
}

const searched = [];
function hasWords(words, i) {
  searched[i] ??= [D.keys[i], col(ROW, i), col(ARM, i), col("status", i), ...D.settings.map(name => `${name}=${text(col(name, i))}`)].join(" ").toLowerCase();
  return words.every(word => searched[i].includes(word));
}

function hide(name, values) {
  if (values.length) hidden[name] = values; else delete hidden[name];
}

function showOnly(name, values) {
  const wanted = new Set(values);
  hide(name, D.columns[name].of.map(text).filter(value => !wanted.has(value)));
}
