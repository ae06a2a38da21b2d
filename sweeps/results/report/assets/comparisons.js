// Arms against a baseline. Every number is of sweeps.compare; the page only draws it.
function drawCompare(main) {
  const C = D.compare, told = C.rows;
  if (!told.length) { main.replaceChildren(el("p", {className: "empty", textContent: C.error ?? "Nothing to compare."})); return; }
  const metrics = C.metrics.filter(metric => told.some(row => row.metric === metric));
  const metric = metrics.includes(S.metric) ? S.metric : metrics[0];
  const base = C.baselines.includes(S.baseline) ? S.baseline : C.baselines[0];
  const rows = told.filter(row => row.metric === metric && row.baseline === base);
  const bar = el("div", {className: "bar"}, menu("metric", metrics, metric, value => { S.metric = value; redraw(); }),
    C.baselines.length > 1 ? menu("against", C.baselines.map(one => [one, armText(one)]), base, value => { S.baseline = value; redraw(); }) : el("span", {className: "field"}, el("span", {textContent: "against"}), el("b", {textContent: armText(base)})),
    button("CSV", () => saveCompare(told), {className: "quiet", title: "all comparisons of this page"}));
  main.replaceChildren(bar, el("div", {className: "page"}, ...[el("p", {className: "lead", textContent: D.meanings[metric] ?? ""}), compareTable(rows, base, metric), metrics.length > 1 ? overview(told.filter(row => row.baseline === base), metrics, base) : null, ...compareNotes(rows, base, metric, metrics)].filter(Boolean)));
}

function compareTable(rows, base, metric) {
  const ends = rows.flatMap(row => [row.low, row.high, row.difference]).filter(value => value !== null);
  const low = Math.min(0, ...ends), high = Math.max(0, ...ends), pad = (high - low) * .06 || 1;
  const x = value => 240 * (value - low + pad) / (high - low + 2 * pad);
  const heads = [["arm", ""], ["difference", "mean over directions of arm less baseline"], ["", ""], ["95 % interval", "bootstrap over directions; none with fewer than four"], ["mean", ""], ["baseline", ""],
    ["pairs", "jobs of the arm and of the baseline that are alike in all else"], ["directions", "the clusters over which the interval is"], ["p", "sign flips over directions, corrected by Holm over these rows"], ["effect", "rank-biserial correlation, -1 to 1"], ["", ""]];
  const body = rows.map(row => el("tr", {data: {arm: row.arm}}, el("th", {scope: "row", className: "arm-name"}, ...armName(row.arm)),
    el("td", {className: "strong", textContent: signed(row.difference)}), el("td", {}, interval(row, x)),
    el("td", {textContent: row.low === null ? "" : `${short(row.low)} to ${short(row.high)}`}),
    ...[short(row.mean), short(row.mean_baseline), row.pairs, row.directions].map(value => el("td", {textContent: value})),
    el("td", {className: row.p_holm !== null && row.p_holm < .05 ? "strong" : "", textContent: short(row.p_holm)}), el("td", {textContent: short(row.effect)}),
    el("td", {}, ARMS.includes(row.arm) ? button("See pictures", () => seePairs(row.arm, base, metric), {className: "quiet", aria: {label: `see the pictures of ${row.arm} against ${base}`}}) : null)));
  return el("div", {className: "scroll", tabIndex: 0, aria: {role: "region", label: "comparisons"}}, el("table", {className: "compare"},
    el("caption", {textContent: `${metric}: every arm against ${armText(base)}`}),
    el("thead", {}, el("tr", {}, ...heads.map(([head, title]) => el("th", {scope: "col", textContent: head, title})))), el("tbody", {}, ...body)));
}

function interval(row, x, wide = 240) {
  const node = svg("svg", {width: wide, height: 24, role: "img", "aria-label": row.low === null ? `difference ${short(row.difference)}, no interval` : `difference ${short(row.difference)}, from ${short(row.low)} to ${short(row.high)}`});
  node.append(svg("line", {x1: x(0), x2: x(0), y1: 0, y2: 24, class: "zero"}));
  if (row.low !== null) node.append(svg("line", {x1: x(row.low), x2: x(row.high), y1: 12, y2: 12, stroke: hueOf(row.arm), "stroke-width": 3, "stroke-linecap": "round"}));
  node.append(svg("circle", {cx: x(row.difference), cy: 12, r: 5, fill: row.low === null ? "none" : hueOf(row.arm), stroke: hueOf(row.arm), "stroke-width": 2}));
  return node;
}

// All metrics at once: an interval for every arm and metric, each metric on its own scale.
function overview(rows, metrics, base) {
  const arms = [...new Set(rows.map(row => row.arm))];
  const head = metric => el("th", {scope: "col", title: D.meanings[metric] ?? ""}, button(metric, () => { S.metric = metric; redraw(); }, {className: "link"}));
  const cellOf = (arm, metric) => {
    const row = rows.find(one => one.arm === arm && one.metric === metric), ends = rows.filter(one => one.metric === metric).flatMap(one => [one.low, one.high, one.difference]).filter(value => value !== null);
    if (!row || row.difference === null) return el("td");
    const low = Math.min(0, ...ends), high = Math.max(0, ...ends), pad = (high - low) * .08 || 1;
    return el("td", {title: `${metric}: ${signed(row.difference)}${row.low === null ? "" : `, from ${short(row.low)} to ${short(row.high)}`}`}, interval(row, value => 120 * (value - low + pad) / (high - low + 2 * pad), 120));
  };
  return el("div", {className: "scroll"}, el("table", {className: "compare overview"}, el("caption", {textContent: `All metrics: differences from ${armText(base)}, each on its own scale`}),
    el("thead", {}, el("tr", {}, el("th", {scope: "col", textContent: "arm"}), ...metrics.map(head))),
    el("tbody", {}, ...arms.map(arm => el("tr", {}, el("th", {scope: "row", className: "arm-name"}, ...armName(arm)), ...metrics.map(metric => cellOf(arm, metric)))))));
}

function compareNotes(rows, base, metric, metrics) {
  const lines = [];
  for (const row of rows) {
    if (row.unpaired_reason) lines.push(`${row.arm}: ${row.unpaired} without a pair: ${row.unpaired_reason}.`);
    if (row.baseline_unpaired_reason) lines.push(`${base}, against ${row.arm}: ${row.baseline_unpaired} without a pair: ${row.baseline_unpaired_reason}.`);
    if (row.also_differs) lines.push(`${row.arm} differs from ${base} also in ${row.also_differs}.`);
  }
  const quote = value => /^[\w./=@:-]+$/.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`;
  const shell = ["python -m sweeps.compare", quote(D.title), "--by", ...D.compare.by.map(quote), "--metric", ...metrics.map(quote), "--baseline", quote(base)].join(" ");
  return [
    el("p", {className: "dim", textContent: "A pair is two jobs that are alike in all but the arm: the same direction, seed and settings. Differences are averaged within a direction first; the interval is over directions, which weigh equally. p is corrected for this table's rows. All jobs are compared, whatever is filtered."}),
    lines.length ? el("details", {open: lines.length < 4}, el("summary", {textContent: `Jobs without a pair, and other differences (${lines.length})`}), el("ul", {}, ...lines.map(line => el("li", {textContent: line})))) : null,
    el("div", {className: "command"}, el("code", {textContent: shell}), button("Copy", event => { copyText(shell, document.body); event.target.textContent = "Copied"; }, {className: "quiet"})),
  ].filter(Boolean);
}

function seePairs(arm, base, metric) {
  hidden = {};
  showOnly(ARM, [arm, base]);
  Object.assign(S, {tab: "pictures", rows: DEFAULTS.rows, columns: ARM, metric, sort: "difference", a: arm, b: base, down: "1", q: "", brush: ""});
  redraw({step: true});
}
