// CSV. A text that a spreadsheet would take for a formula gets a quote before it; numbers stay.
function csvOf(rows) {
  const cell = value => {
    let told = value === null || value === undefined ? "" : String(value);
    if (typeof value === "string" && /^[=+\-@\t\r]/.test(told)) told = `'${told}`;
    return /[",\r\n]/.test(told) ? `"${told.replaceAll('"', '""')}"` : told;
  };
  return rows.map(row => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

function save(name, words) {
  const link = el("a", {href: URL.createObjectURL(new Blob([words], {type: "text/csv"})), download: name});
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function saveJobs() {
  const settings = D.settings.filter(name => name !== "sweep");
  const heads = ["job", ...(D.columns.sweep ? ["sweep"] : []), "row", "arm", "status", ...settings, ...D.metrics];
  const lines = kept.map(i => [D.columns.sweep ? D.keys[i].split("/").pop() : D.keys[i], ...(D.columns.sweep ? [col("sweep", i)] : []), col(ROW, i), col(ARM, i), col("status", i), ...settings.map(name => col(name, i)), ...D.metrics.map(metric => num(metric, i))]);
  save("jobs.csv", csvOf([heads, ...lines]));
}

function saveCompare(rows) {
  const heads = Object.keys(rows[0]);
  save("compare.csv", csvOf([heads, ...rows.map(row => heads.map(head => row[head]))]));
}
