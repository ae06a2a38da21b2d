// Optimization curves: a job's in front of those of the other arms of its row.
function decodeCurve(i, series) {
  const told = D.history.jobs[i];
  if (!told) return null;
  const [list, packed, ranges] = told, steps = D.history.steps[list], raw = atob(packed), [low, high] = ranges[series];
  const values = steps.map((_, k) => {
    const at = 2 * (series * steps.length + k), value = raw.charCodeAt(at) | raw.charCodeAt(at + 1) << 8;
    return value === 65535 ? null : low + (high - low) * value / 65534;
  });
  return [steps, values];
}

function seriesShown() {
  const {series} = D.history;
  return [S.curve, S.metric, METRIC, "score"].find(name => series.includes(name)) ?? series[0];  // scores of two objectives have two scales
}

function drawCurves(node, i, others) {
  const name = seriesShown(), series = D.history.series.indexOf(name);
  const own = decodeCurve(i, series);
  node.replaceChildren();
  if (!own) { node.append(el("p", {className: "empty", textContent: "No history of this job was kept."})); return; }
  const drawn = others.filter(k => k !== i && D.history.jobs[k]).map(k => [k, decodeCurve(k, series)]);
  const joined = uPlot.join([...drawn.map(([, data]) => data), own]);
  const line = (k, front) => ({label: armText(col(ARM, k)), stroke: hue(k), width: front ? 2.5 : 1.2, alpha: front ? 1 : .65, points: {show: false}, spanGaps: true, value: (_, value) => short(value)});
  const plain = {stroke: ink_.dim, grid: {stroke: ink_.line, width: 1}, ticks: {stroke: ink_.line, width: 1}, font: "11px system-ui, sans-serif"};
  new uPlot({
    width: Math.max(280, node.clientWidth), height: 190, scales: {x: {time: false}}, padding: [6, 12, 0, 0], legend: {show: false}, cursor: {drag: {x: true, y: false}, points: {size: 6}},
    axes: [{...plain, size: 28}, {...plain, size: 52, values: (_, values) => values.map(tick)}],
    series: [{label: "step"}, ...drawn.map(([k]) => line(k, false)), line(i, true)],
  }, joined, node);
}
