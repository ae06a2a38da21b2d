// The views, and what starts the page.
const VIEWS = {pictures: drawPictures, compare: drawCompare, jobs: drawJobs, judge: drawJudge};

function redraw({side = true, step = false} = {}) {
  filterJobs();
  keepHash(step);
  for (const tab of document.querySelectorAll("[role=tab]")) {
    const on = tab.dataset.tab === S.tab;
    tab.setAttribute("aria-selected", on);
    tab.tabIndex = on ? 0 : -1;
  }
  document.body.dataset.tab = S.tab;
  $("#main").setAttribute("aria-labelledby", `tab-${S.tab}`);
  $("#count").textContent = kept.length === D.n ? `${D.n} job${D.n === 1 ? "" : "s"}` : `${kept.length} of ${D.n} jobs`;
  readInk();
  const scrolled = grid && S.tab === "pictures" ? [grid.at.scrollLeft, grid.at.scrollTop] : null;
  if (S.tab !== "pictures") grid = null;
  VIEWS[S.tab]($("#main"));
  if (scrolled && grid) grid.at.scrollTo(...scrolled);
  if (side) drawSide(); else drawScatter();
}

function notify(words) {
  $("#notice").textContent = words;
  $("#notice").hidden = false;
}

function about() {
  const bad = ALL.filter(isBad), counts = new Map();
  for (const i of bad) counts.set(col("status", i), (counts.get(col("status", i)) ?? 0) + 1);
  const facts = [D.constant.model && `model ${D.constant.model}`, D.constant.layer && `layer ${D.constant.layer}`, `${D.columns[DIRECTION].of.length} direction${D.columns[DIRECTION].of.length === 1 ? "" : "s"}`, `${ARMS.length} arm${ARMS.length === 1 ? "" : "s"}`, D.constant.steps && `${D.constant.steps} steps`].filter(Boolean);
  $("#about").textContent = facts.join(" \u00b7 ");
  if (!bad.length) return;
  const statuses = [...counts].map(([status, count]) => `${count} ${status}`).join(", ");
  $("#about").prepend(button(statuses, () => { hidden = {}; showOnly("status", [...counts.keys()]); S.tab = "pictures"; redraw({step: true}); }, {className: "link warn", title: "show these jobs"}), " \u00b7 ");
}

function showTab(tab) {
  if (running && tab !== "judge" && running.answers.length < running.trials.length) return;
  if (tab !== "judge") running = null;
  S.tab = tab;
  redraw({step: true});
}

function start() {
  let theme = "system";
  try { theme = localStorage.getItem("sweeps-theme") ?? theme; } catch { /* a browser that keeps nothing */ }
  setTheme(theme);
  readHash();
  about();
  const tabs = [...document.querySelectorAll("[role=tab]")];
  for (const tab of tabs) {
    tab.addEventListener("click", () => showTab(tab.dataset.tab));
    tab.addEventListener("keydown", event => {
      const by = {ArrowRight: 1, ArrowLeft: -1}[event.key];
      if (by) { const next = tabs[(tabs.indexOf(tab) + by + tabs.length) % tabs.length]; showTab(next.dataset.tab); next.focus(); }
    });
  }
  $("#theme").addEventListener("click", nextTheme);
  $("#open-filters").addEventListener("click", event => { const open = document.body.classList.toggle("filters"); event.target.setAttribute("aria-expanded", open); drawScatter(); });
  listen();
  redraw();
  openFromHash();
  document.body.dataset.ready = "1";
}

function listen() {
  const dialog = $("#zoom");
  dialog.addEventListener("close", closeZoom);
  dialog.addEventListener("keydown", zoomKeys);
  dialog.addEventListener("keyup", event => { if (event.key === " " && pinned() !== null) { event.preventDefault(); flipTo(false); } });
  dialog.addEventListener("click", event => { if (event.target === dialog) dialog.close(); });
  addEventListener("resize", () => { layOut(); drawScatter(); });
  addEventListener("popstate", () => { if (running) return; readHash(); redraw(); openFromHash(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => redraw());
  addEventListener("keydown", event => {
    if (event.target.matches("input, select, textarea")) return;
    if (S.tab === "judge" && running && running.answers.length < running.trials.length) {
      const side = trialKeys[event.key];
      if (side !== undefined) { event.preventDefault(); answer(side); } else if (event.key === "Escape") stopTrials();
    } else if (event.key === "/" && !dialog.open) { event.preventDefault(); $("#search")?.focus(); }
  });
}

function openFromHash() {
  const i = placeOf.get(S.job), dialog = $("#zoom");
  if (i !== undefined) openZoom(i, false);
  else if (dialog.open) dialog.close();
}

start();
