// The table of all jobs that are shown. Only the lines in view are in the document.
const LINE = 30;

function drawJobs(main) {
  const columns = jobColumns(), sort = columns.includes(S.by) ? S.by : "";
  const order = sort ? sortJobs(sort) : kept;
  const at = el("div", {id: "jobs", tabIndex: 0, aria: {label: "table of jobs", role: "region"}}), body = el("tbody"), above = el("tr"), below = el("tr");
  const head = name => el("th", {scope: "col", title: D.meanings[name] ?? "", aria: {sort: sort === name ? (S.down === "1" ? "descending" : "ascending") : "none"}},
    button(titleOf(name) + (sort === name ? S.down === "1" ? " \u2193" : " \u2191" : ""), () => { if (S.by === name) S.down = S.down === "1" ? "" : "1"; S.by = name; redraw({side: false}); }, {className: "link"}));
  const show = () => {
    const first = Math.max(0, Math.floor(at.scrollTop / LINE) - 5), last = Math.min(order.length, first + Math.ceil(at.clientHeight / LINE) + 12);
    above.style.height = `${first * LINE}px`;
    below.style.height = `${(order.length - last) * LINE}px`;
    body.replaceChildren(above, ...order.slice(first, last).map(i => jobLine(i, columns)), below);
  };
  at.append(el("table", {className: "jobs", aria: {rowcount: order.length + 1}}, el("thead", {}, el("tr", {}, ...columns.map(head))), body));
  at.addEventListener("scroll", () => requestAnimationFrame(show));
  main.replaceChildren(chips(), el("div", {className: "bar"}, el("span", {className: "dim", textContent: "Click a head to sort, a job to open it."}), button("CSV", saveJobs, {className: "quiet"})), at);
  show();
}

const jobColumns = () => ["job", ...(D.columns.sweep ? ["sweep"] : []), ROW, ARM, "status", ...D.metrics];

function jobValue(name, i) {
  return name === "job" ? D.keys[i] : D.numbers[name] ? num(name, i) : col(name, i);
}

function sortJobs(name) {
  const turn = S.down === "1" ? -1 : 1;
  const key = name === "job" ? i => i : D.numbers[name] ? i => num(name, i) : i => code(name, i);
  return [...kept].sort((a, b) => { const [x, y] = [key(a), key(b)]; return (x === null) - (y === null) || turn * (x - y) || a - b; });
}

function jobLine(i, columns) {
  return el("tr", {className: "line-of", data: {key: D.keys[i], status: col("status", i)}, onclick: () => openZoom(i)}, ...columns.map(name => {
    const value = jobValue(name, i);
    if (name === "job") return el("th", {scope: "row"}, button(D.keys[i], event => { event.stopPropagation(); openZoom(i); }, {className: "link"}));
    if (name === ARM) return el("td", {className: "words"}, swatch(value), armText(value));
    return el("td", {className: typeof value === "number" ? "" : "words", textContent: short(value), title: typeof value === "number" ? String(value) : text(value)});
  }));
}
