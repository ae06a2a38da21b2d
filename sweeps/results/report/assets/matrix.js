// The pictures as a matrix of any two columns. Only the cells in view are in the document.
const GAP = 12, SEAM = 2, CAPTION = 22, MOST_BESIDE = 4;
let grid = null;

function picture(i, alt) {
  if (!source(i)) return el("span", {className: "blank", aria: {label: alt || col("status", i), role: "img"}}, el("span", {textContent: isBad(i) ? col("status", i) : "no picture"}));
  return showSeen(el("img", {alt, decoding: "async", draggable: false, onerror: lostPicture, data: {of: i}}));
}

function lostPicture() {
  notify("Some pictures are not where this page expects them: keep it beside its images folder, or make one file of all with python -m sweeps.report DIR --portable.");
}

function drawPictures(main) {
  const bar = toolbar(), at = el("div", {id: "grid", tabIndex: -1});
  main.replaceChildren(chips(), bar, at);
  grid = arrange(at);
  if (!kept.length) { at.append(el("p", {className: "empty", textContent: "No job is left: remove a filter."})); grid = null; return; }
  fill(at, {aria: {role: "grid", label: `pictures: ${titleOf(S.rows)} by ${titleOf(S.columns)}; arrow keys move, Enter opens`, rowcount: grid.names.length + 1, colcount: grid.heads.length + 1}});
  at.addEventListener("scroll", () => { if (!grid.waiting) { grid.waiting = true; requestAnimationFrame(() => { grid.waiting = false; showCells(); }); } });
  at.addEventListener("click", event => { const job = event.target.closest(".job"); if (job) openZoom(placeOf.get(job.dataset.key)); });
  at.addEventListener("pointerover", event => { const job = event.target.closest(".job"); ring(job ? placeOf.get(job.dataset.key) : null); });
  at.addEventListener("pointerleave", () => ring(null));
  at.addEventListener("focusin", event => { const job = event.target.closest(".job"); if (job) ring(placeOf.get(job.dataset.key)); });
  at.addEventListener("keydown", moveFocus);
  layOut();
  $("input.size", bar).value = grid.m.size;
}

function toolbar() {
  const set = key => value => { S[key] = value; if (key === "columns") S.sort = S.a = S.b = ""; redraw({side: key === "metric"}); };
  const several = [...groupBy(S.columns, kept).keys()].map(place => text(D.columns[S.columns].of[place]));
  const heads = several.map(name => [name, S.columns === ARM ? armText(name) : name]);
  const sorts = [["", "name"], ["value", "value in"], ...(several.length > 1 ? [["difference", "difference of"]] : [])];
  const sort = value => { S.sort = value; S.a = several.includes(S.a) ? S.a : several[0] ?? ""; S.b = several.includes(S.b) && S.b !== S.a ? S.b : several.find(one => one !== S.a) ?? ""; redraw(); };
  const size = el("input", {className: "size", type: "range", min: 32, max: 320, value: S.size || 96, aria: {label: "size of the pictures"}, oninput: event => { S.size = event.target.value; layOut(); keepHash(); }});
  const folds = [["side", "side by side"], ["mean", "mean"]];
  return el("div", {className: "bar", aria: {role: "toolbar", label: "the matrix"}},
    menu("rows", AXES, S.rows, set("rows")), menu("columns", AXES, S.columns, set("columns")),
    button("\u21c4", () => { [S.rows, S.columns] = [S.columns, S.rows]; S.sort = S.a = S.b = ""; redraw(); }, {title: "swap rows and columns", aria: {label: "swap rows and columns"}, className: "icon"}),
    menu("number", D.metrics, S.metric, set("metric")),
    el("span", {className: "group"}, menu("sort rows by", sorts, S.sort, sort),
      S.sort ? menu("", heads, S.a, set("a")) : null,
      S.sort === "difference" ? menu("\u2212", heads, S.b, set("b")) : null,
      S.sort ? button(S.down === "1" ? "\u2193" : "\u2191", () => { S.down = S.down === "1" ? "" : "1"; redraw(); }, {className: "icon", aria: {label: S.down === "1" ? "highest first" : "lowest first"}}) : null),
    menu("seeds", folds, S.fold, set("fold")),
    el("label", {className: "field"}, el("span", {textContent: "size"}), size), stepSlider(),
    toggle("pixels", S.pixels === "1", on => { S.pixels = on ? "1" : ""; redraw({side: false}); }, "show the pixels of small pictures as squares"),
    D.references ? toggle("references", S.refs === "1", on => { S.refs = on ? "1" : ""; redraw({side: false}); }, "reference images that excite each direction most") : null,
    button("CSV", saveJobs, {className: "quiet", title: "the jobs that are shown, as a CSV file"}));
}

// Which jobs are in which cell, and the order of rows.
function arrange(at) {
  const columns = [...groupBy(S.columns, kept).keys()], rows = groupBy(S.rows, kept), cells = new Map();
  let most = 1;
  for (const i of kept) {
    const key = `${code(S.rows, i)},${code(S.columns, i)}`;
    if (cells.has(key)) most = Math.max(most, cells.get(key).push(i)); else cells.set(key, [i]);
  }
  for (const list of cells.values()) list.sort((a, b) => code(ROW, a) - code(ROW, b));
  const textOf = (name, place) => text(D.columns[name].of[place]);
  const heads = columns.map(place => ({place, name: textOf(S.columns, place)}));
  const valueIn = (row, head) => {
    const column = heads.find(one => one.name === head);
    const list = column ? cells.get(`${row},${column.place}`) ?? [] : [];
    return mean(list.map(i => num(S.metric, i)).filter(value => value !== null));
  };
  const keyOf = row => {
    const a = valueIn(row, S.a), b = S.sort === "difference" ? valueIn(row, S.b) : 0;
    return a === null || b === null ? null : a - b;
  };
  const names = [...rows.keys()].map(place => ({place, name: textOf(S.rows, place), key: S.sort && S.a !== undefined ? keyOf(place) : null, jobs: rows.get(place)}));
  const turn = S.down === "1" ? -1 : 1;
  if (S.sort) names.sort((a, b) => (a.key === null) - (b.key === null) || turn * (a.key - b.key) || a.place - b.place);
  return {at, cells, heads, names, beside: S.fold === "side" ? Math.min(most, MOST_BESIDE) : 1, lines: new Map(), focus: [0, 0, 0]};
}

// As large as all columns fit into the view, within reason.
function fittingSize(left) {
  const room = (grid.at.clientWidth - left - 12) / grid.heads.length - GAP;
  return Math.round(Math.min(168, Math.max(innerWidth < 720 ? 72 : 92, (room + SEAM) / grid.beside - SEAM)));
}

function measure() {
  const left = innerWidth < 720 ? 108 : 176, size = +S.size || fittingSize(left), wide = grid.beside * (size + SEAM) - SEAM;
  const lines = grid.heads.map(({name}) => armText(name).split(/ |(?<=_)/).reduce((sum, part) => sum + Math.ceil(part.length * 7 / (wide - 15)), 0)); // 15: the swatch
  lines.push(Math.ceil(titleOf(S.rows).length * 6 / (left - 24))); // of the corner, between its paddings
  return {size, wide, left, step: wide + GAP, high: size + CAPTION + 8, top: Math.min(7, Math.max(1, ...lines)) * 15 + 14};
}

function layOut() {
  if (!grid) return;
  const {at, heads, names} = grid, m = grid.m = measure();
  grid.lines.clear();
  at.classList.toggle("pixels", S.pixels === "1");
  const row = el("div", {className: "heads", css: {height: `${m.top}px`, width: `${m.left + heads.length * m.step}px`}, aria: {role: "row", rowindex: 1}},
    el("div", {className: "corner", css: {width: `${m.left}px`}, aria: {role: "columnheader"}}, el("span", {className: "dim", textContent: titleOf(S.rows)})));
  heads.forEach((head, place) => row.append(headOf(head, place, m)));
  at.replaceChildren(row, el("div", {css: {height: `${names.length * m.high}px`, width: `${m.left + heads.length * m.step}px`}}));
  showCells();
}

function headOf({name}, place, m) {
  const sorted = S.sort === "value" && S.a === name;
  const press = () => { if (sorted) S.down = S.down === "1" ? "" : "1"; S.sort = "value"; S.a = name; redraw(); };
  const told = S.columns === ARM ? armName(name) : [el("b", {textContent: name})];
  return el("div", {className: "head", css: {left: `${m.left + place * m.step}px`, width: `${m.wide}px`}, aria: {role: "columnheader", colindex: place + 2, sort: sorted ? (S.down === "1" ? "descending" : "ascending") : "none"}},
    el("button", {type: "button", title: `${armText(name)}\nClick: sort rows by ${S.metric} here`, onclick: press}, ...told, sorted ? el("small", {textContent: S.down === "1" ? "\u2193 sorted" : "\u2191 sorted"}) : null));
}

function showCells() {
  if (!grid) return;
  const {at, heads, names, lines, m} = grid;
  const first = Math.max(0, Math.floor((at.scrollTop - m.top) / m.high) - 1), last = Math.min(names.length, Math.ceil((at.scrollTop + at.clientHeight - m.top) / m.high) + 1);
  const left = Math.max(0, Math.floor((at.scrollLeft - m.left) / m.step)), right = Math.min(heads.length, Math.ceil((at.scrollLeft + at.clientWidth - m.left) / m.step) + 1);
  for (const [r, line] of lines) if (r < first || r >= last || line.left !== left || line.right !== right) {
    if (line.node.contains(document.activeElement)) at.focus({preventScroll: true});
    line.node.remove();
    lines.delete(r);
  }
  for (let r = first; r < last; r++) {
    if (lines.has(r)) continue;
    const node = lineOf(r, left, right);
    at.append(node);
    lines.set(r, {node, left, right});
  }
}

function lineOf(r, left, right) {
  const {names, heads, cells, m} = grid, row = names[r], low = lowest(row.jobs);
  const node = el("div", {className: "line", css: {top: `${m.top + r * m.high}px`, height: `${m.high}px`, width: `${m.left + heads.length * m.step}px`}, aria: {role: "row", rowindex: r + 2}}, rowName(row));
  for (let c = left; c < right; c++) {
    const list = cells.get(`${row.place},${heads[c].place}`), place = {left: `${m.left + c * m.step}px`, width: `${m.wide}px`};
    node.append(el("div", {className: "cell", css: place, aria: {role: "gridcell", colindex: c + 2}},
      ...(list ? jobsOf(list, low, [r, c]) : [el("span", {className: "absent", css: {height: `${m.size}px`}, textContent: "not run"})])));
  }
  return node;
}

function lowest(jobs) {
  let low = Infinity, high = -Infinity;
  for (const i of jobs) { const value = num(S.metric, i); if (value !== null) { low = Math.min(low, value); high = Math.max(high, value); } }
  return [low, high];
}

function rowName({name, key, jobs}) {
  const {m} = grid, words = name.split(" "), shown = S.refs === "1" && m.size > 60 ? references(jobs[0], "most").slice(0, 3) : [];
  return el("div", {className: "name", css: {width: `${m.left}px`}, title: name, aria: {role: "rowheader"}},
    el("b", {textContent: words[0]}), words.length > 1 ? el("small", {textContent: words.slice(1).join(" ")}) : null,
    key !== null ? el("small", {className: "key", textContent: S.sort === "difference" ? signed(key) : short(key)}) : null,
    shown.length ? el("span", {className: "refs", title: "reference images that excite this direction most"}, ...shown.map(address => el("img", {src: address, alt: "", decoding: "async"}))) : null);
}

function jobsOf(list, [low, high], [r, c]) {
  const {m, beside} = grid, values = list.map(i => num(S.metric, i)).filter(value => value !== null);
  return list.slice(0, beside).map((i, k) => {
    const averaged = S.fold === "mean" && list.length > 1, value = averaged ? mean(values) : num(S.metric, i);
    const more = list.length > beside && k === beside - 1 ? averaged ? `mean of ${values.length}` : `+${list.length - beside}` : "";
    const words = `${col(ROW, i)}, ${armText(col(ARM, i))}, ${S.metric} ${short(value)}${isBad(i) ? `, ${col("status", i)}` : ""}`;
    const focused = grid.focus.join() === [r, c, k].join();
    return el("button", {type: "button", className: "job", tabIndex: focused ? 0 : -1, css: {width: `${m.size}px`}, title: words, data: {key: D.keys[i], status: col("status", i), at: `${r},${c},${k}`}, aria: {label: words}},
      el("span", {className: "shot", css: {height: `${m.size}px`}}, picture(i, ""), isBad(i) && source(i) ? el("span", {className: "badge", textContent: col("status", i)}) : null),
      el("span", {className: "caption", css: {"--part": value === null || high <= low ? 0 : (value - low) / (high - low)}}, short(value), more ? el("span", {className: "dim", textContent: more}) : null));
  });
}

// Arrow keys go from picture to picture, also to those that are not in the document yet.
function moveFocus(event) {
  const go = {ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0]}[event.key];
  const job = event.target.closest(".job");
  if (!go || (!job && event.target !== grid.at)) return;
  event.preventDefault();
  let [r, c, k] = job ? job.dataset.at.split(",").map(Number) : grid.focus;
  const has = (row, column, seed) => (grid.cells.get(`${grid.names[row]?.place},${grid.heads[column]?.place}`)?.length ?? 0) > seed && seed < grid.beside;
  if (go[1] && has(r, c, k + go[1]) && k + go[1] >= 0) { focusCell(r, c, k + go[1]); return; }
  for (;;) {
    r += go[0]; c += go[1];
    if (r < 0 || c < 0 || r >= grid.names.length || c >= grid.heads.length) return;
    const seeds = grid.cells.get(`${grid.names[r].place},${grid.heads[c].place}`)?.length ?? 0;
    if (seeds) { focusCell(r, c, go[1] < 0 ? Math.min(seeds, grid.beside) - 1 : go[1] > 0 ? 0 : Math.min(k, seeds - 1)); return; }
  }
}

function focusCell(r, c, k) {
  const {at, m} = grid, top = r * m.high, left = c * m.step;
  grid.focus = [r, c, k];
  if (top < at.scrollTop) at.scrollTop = top;
  if (top + m.high + m.top > at.scrollTop + at.clientHeight) at.scrollTop = top + m.high + m.top - at.clientHeight;
  if (left < at.scrollLeft) at.scrollLeft = left;
  if (left + m.step + m.left > at.scrollLeft + at.clientWidth) at.scrollLeft = left + m.step + m.left - at.clientWidth;
  showCells();
  const node = $(`.job[data-at="${r},${c},${k}"]`, at);
  at.querySelectorAll('.job[tabindex="0"]').forEach(one => { one.tabIndex = -1; });
  if (node) { node.tabIndex = 0; node.focus({preventScroll: true}); }
}
