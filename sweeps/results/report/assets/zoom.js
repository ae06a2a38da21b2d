// One job: its picture, every metric and what it means, its curve, its command; flipped against A.
function openZoom(i, step = true) {
  const dialog = $("#zoom");
  S.job = D.keys[i];
  if (!dialog.open) dialog.showModal();
  drawZoom(i);
  keepHash(step);
}

function closeZoom() {
  S.job = "";
  keepHash(true);
  drawScatter();
}

const pinned = () => placeOf.get(S.pin) ?? null;
const sameRow = i => { const shown = new Set(kept); return byRow.get(code(ROW, i)).filter(k => k === i || shown.has(k)).sort((a, b) => code(ARM, a) - code(ARM, b)); };

// The same arm in other rows, in the order of rows.
function sameArm(i) {
  return kept.concat(kept.includes(i) ? [] : [i]).filter(k => code(ARM, k) === code(ARM, i)).sort((a, b) => code(ROW, a) - code(ROW, b));
}

function drawZoom(i) {
  const dialog = $("#zoom"), row = sameRow(i), flat = el("div", {className: "curve"});
  const top = $(".facts", dialog)?.scrollTop ?? 0, focused = document.activeElement?.getAttribute("aria-label");
  const curve = D.history.series.length ? [el("div", {className: "line-up"}, el("h3", {textContent: "Optimization"}),
    menu("", D.history.series, seriesShown(), value => { S.curve = value; drawCurves(flat, i, row); keepHash(); })), flat] : [];
  const facts = el("div", {className: "facts", tabIndex: 0, aria: {label: "numbers of this job", role: "region"}},
    badNews(i), ...curve, el("h3", {textContent: "Metrics"}), metricsTable(i, row), commandOf(i), settingsOf(i));
  dialog.replaceChildren(zoomHead(i, row), el("div", {className: "zoom"}, el("div", {className: "look"}, bigPicture(i), strip(i, row), referenceStrip(i)), facts));
  facts.scrollTop = top;
  if (curve.length) drawCurves(flat, i, row);
  const again = focused && [...dialog.querySelectorAll("button:not([disabled])")].find(one => one.getAttribute("aria-label") === focused);
  (again || $("#zoom-close", dialog)).focus({preventScroll: true});
}

function zoomHead(i, row) {
  const step = (jobs, by) => jobs[jobs.indexOf(i) + by];
  const arms = row, rows = sameArm(i);
  const go = (label, sign, k) => button(sign, () => openZoom(k, false), {className: "icon", disabled: k === undefined, title: label, aria: {label}});
  return el("div", {className: "zoom-head"},
    el("div", {className: "zoom-title"}, el("h2", {textContent: col(ROW, i)}), el("p", {}, swatch(col(ARM, i)), armText(col(ARM, i)), el("span", {className: "dim", textContent: ` \u00b7 job ${D.keys[i]} \u00b7 ${col("status", i)}`}))),
    el("div", {className: "group"}, go("previous arm (\u2190)", "\u2190", step(arms, -1)), go("next arm (\u2192)", "\u2192", step(arms, 1)), go("previous row (\u2191)", "\u2191", step(rows, -1)), go("next row (\u2193)", "\u2193", step(rows, 1))),
    button("Close", () => $("#zoom").close(), {id: "zoom-close", title: "Escape"}));
}

// Both pictures lie in the same place, so that a flip shows no white between.
function bigPicture(i) {
  const a = pinned(), frame = el("div", {className: "frame"}, el("div", {className: "layer"}, picture(i, `picture of ${col(ROW, i)}, ${armText(col(ARM, i))}`)));
  const tag = el("span", {className: "tag", textContent: a === null ? "" : `B: ${armText(col(ARM, i))}`});
  if (a !== null) frame.append(el("div", {className: "layer pinned", hidden: true}, picture(a, `pinned picture of ${col(ROW, a)}, ${armText(col(ARM, a))}`)), tag);
  const pin = button(a === i ? "Unpin" : "Pin as A", () => { S.pin = a === i ? "" : D.keys[i]; drawZoom(i); keepHash(); }, {title: "key P"});
  const flip = a !== null && a !== i ? button("Flip A / B", () => flipTo(null), {title: "hold the space bar"}) : null;
  const note = a !== null && a !== i ? `A: ${col(ROW, a)}, ${armText(col(ARM, a))}. Hold space to see A in place.` : a === i ? "This picture is A: go to another (arrow keys) and hold space." : "Pin this picture, go to another, and flip between them in place.";
  const png = source(i) && !D.embedded ? el("a", {href: seen(i) ?? source(i), data: {of: i}, textContent: "open the PNG", target: "_blank", rel: "noopener"}) : D.embedded ? el("span", {className: "dim", textContent: "lossy copy of the PNG"}) : null;
  return el("div", {}, frame, el("div", {className: "line-up"}, pin, flip, a !== null && a !== i ? button("Unpin", () => { S.pin = ""; drawZoom(i); keepHash(); }, {className: "link"}) : null, stepSlider(), el("span", {className: "push"}), png), el("p", {className: "dim hint", textContent: note}));
}

function flipTo(on) {
  const layer = $("#zoom .pinned"), i = placeOf.get(S.job), a = pinned();
  if (!layer || a === null) return;
  layer.hidden = on === null ? !layer.hidden : !on;
  $("#zoom .tag").textContent = layer.hidden ? `B: ${armText(col(ARM, i))}` : `A: ${armText(col(ARM, a))}`;
}

function strip(i, row) {
  if (row.length < 2) return null;
  return el("section", {}, el("h3", {textContent: "The same direction and seed"}), el("div", {className: "strip"}, ...row.map(k => el("button", {type: "button", className: "thumb", aria: {current: k === i ? "true" : "false", label: `${armText(col(ARM, k))}, ${S.metric} ${short(num(S.metric, k))}`}, onclick: () => openZoom(k, false)},
    picture(k, ""), el("span", {className: "thumb-name"}, swatch(col(ARM, k)), armText(col(ARM, k))), el("span", {className: "dim", textContent: `${S.metric} ${short(num(S.metric, k))}`})))));
}

function referenceStrip(i) {
  const ends = [["most", "Reference images that excite this direction most"], ["least", "Reference images that excite it least"]];
  return ends.map(([end, words]) => {
    const list = references(i, end);
    return list.length ? el("section", {}, el("h3", {textContent: words}), el("div", {className: "strip small"}, ...list.map((address, k) => el("img", {src: address, alt: `number ${k + 1}`, decoding: "async"})))) : null;
  });
}

function badNews(i) {
  if (!isBad(i)) return null;
  const status = col("status", i), error = D.columns.error ? col("error", i) : null;
  return el("div", {className: "bad", data: {status}, aria: {role: "note"}}, el("b", {textContent: status}), el("p", {textContent: STATUS[status] ?? ""}), error ? el("p", {textContent: error}) : null);
}

// Every metric: the value, where it lies among the arms of the row, the difference to A, the meaning.
function metricsTable(i, row) {
  const a = pinned(), against = a !== null && a !== i;
  const lines = D.metrics.filter(metric => num(metric, i) !== null).map(metric => el("tr", {data: {metric}},
    el("th", {scope: "row"}, button(metric, () => { S.metric = metric; redraw({side: false}); drawZoom(i); keepHash(); }, {className: "link", title: "show this number under the pictures"}), metric === D.optimized ? el("small", {className: "dim", textContent: " optimized" }) : null, el("small", {className: "meaning", textContent: D.meanings[metric] ?? ""})),
    el("td", {className: "number", title: String(num(metric, i)), textContent: short(num(metric, i))}),
    against ? el("td", {className: "number dim", textContent: num(metric, a) === null ? "" : signed(num(metric, i) - num(metric, a))}) : null,
    el("td", {}, rowStrip(metric, i, row))));
  const heads = ["metric", "value", ...(against ? ["B \u2212 A"] : []), row.length > 1 ? "among this row's arms" : ""];
  return el("table", {className: "metrics"}, el("thead", {}, el("tr", {}, ...heads.map(head => el("th", {scope: "col", textContent: head})))), el("tbody", {}, ...lines));
}

function rowStrip(metric, i, row) {
  const [low, high] = (() => { const values = row.map(k => num(metric, k)).filter(value => value !== null); return [Math.min(...values), Math.max(...values)]; })();
  if (!(high > low)) return el("span", {});
  const x = value => 6 + 108 * (value - low) / (high - low);
  const node = svg("svg", {width: 120, height: 14, role: "img", "aria-label": `from ${short(low)} to ${short(high)} in this row`}, svg("line", {x1: 6, x2: 114, y1: 7, y2: 7, class: "axis"}));
  for (const k of [...row.filter(k => k !== i), i]) if (num(metric, k) !== null) {
    const dot = svg("circle", {cx: x(num(metric, k)), cy: 7, r: k === i ? 5 : 3, fill: hue(k), "fill-opacity": k === i ? 1 : .55});
    dot.append(svg("title"));
    dot.firstChild.textContent = `${armText(col(ARM, k))}: ${short(num(metric, k))}`;
    node.append(dot);
  }
  return node;
}

function commandOf(i) {
  const told = D.commands[i];
  if (!told) return el("section", {}, el("h3", {textContent: "Command"}), el("p", {className: "dim", textContent: "This job's settings are none of the configs that this page was made with."}));
  const line = (words, shell) => shell ? [el("p", {className: "dim hint", textContent: words, hidden: !words}), el("div", {className: "command"}, el("code", {textContent: shell}),
    button("Copy", event => { copyText(shell, $("#zoom")); event.target.textContent = "Copied"; }, {className: "quiet"}))] : [];
  return el("section", {}, el("h3", {textContent: "Command for this picture"}), ...line(told.length > 1 ? "alone" : "", told[0]), ...line("with the sweep's batch size: the same bits", told[1]));
}

function settingsOf(i) {
  const pairs = [...D.settings.map(name => [name, col(name, i), true]), ...Object.entries(D.constant).map(([name, value]) => [name, value, false])];
  const list = own => el("dl", {className: "settings"}, ...pairs.filter(([, value, differs]) => differs === own && value !== null).flatMap(([name, value]) => [el("dt", {textContent: name}), el("dd", {textContent: String(value)})]));
  return el("section", {}, el("h3", {textContent: "Settings that differ in this report"}), list(true), el("details", {}, el("summary", {textContent: "Settings that are the same for all jobs"}), list(false)));
}

function zoomKeys(event) {
  const i = placeOf.get(S.job), field = event.target.matches("select, input, textarea");
  if (i === undefined || field) return;
  const row = sameRow(i), rows = sameArm(i), scrolling = event.target.classList.contains("facts");
  const next = {ArrowRight: row[row.indexOf(i) + 1], ArrowLeft: row[row.indexOf(i) - 1], ...(scrolling ? {} : {ArrowDown: rows[rows.indexOf(i) + 1], ArrowUp: rows[rows.indexOf(i) - 1]})}[event.key];
  if (next !== undefined) { event.preventDefault(); openZoom(next, false); }
  else if (event.key === "p" || event.key === "P") { S.pin = pinned() === i ? "" : D.keys[i]; drawZoom(i); keepHash(); }
  else if (event.key === " " && pinned() !== null) { event.preventDefault(); flipTo(true); }
}
