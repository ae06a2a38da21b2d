// Blind judging, the trials. Pictures are drawn on canvases: no file name to be seen while blind.
const ANSWERS = `sweeps-answers-${D.id}`;
const SIDES = ["left", "right", "none"];
let running = null, since = 0;

function unfinished() {
  try {
    const told = JSON.parse(localStorage.getItem(ANSWERS));
    return told && told.answers.length < told.trials.length ? told : null;
  } catch { return null; }
}

function keepAnswers() { try { localStorage.setItem(ANSWERS, JSON.stringify(running)); } catch { /* a browser that keeps nothing */ } }
function forget() { try { localStorage.removeItem(ANSWERS); } catch { /* the same */ } }

function startTrials(plan, trials) {
  running = {plan, trials, answers: []};
  Object.assign(S, {job: "", pin: ""});
  redraw();
}

function drawTrial(main) {
  const {plan, trials, answers} = running, place = answers.length;
  if (place >= trials.length) { endTrials(main); return; }
  document.body.classList.add("blind");
  document.title = "Judge";
  history.replaceState(null, "", "#tab=judge");
  const trial = trials[place], side = k => el("canvas", {width: 512, height: 512, tabIndex: 0, onclick: () => answer(k), onkeydown: event => { if (event.key === "Enter") answer(k); }, aria: {role: "button", label: `${SIDES[k]} picture`}});
  const two = [side(0), side(1)], shown = trial.job === null ? null : el("canvas", {width: 512, height: 512, className: "shown", aria: {role: "img", label: "the picture"}});
  main.replaceChildren(el("div", {className: "trial"}, el("progress", {max: trials.length, value: place, aria: {label: "trials done"}}), el("h2", {textContent: plan.question}), shown, el("div", {className: "sides"}, ...two),
    el("div", {className: "line-up"}, button("\u2190 left", () => answer(0)), button("cannot tell \u2193", () => answer(2)), button("right \u2192", () => answer(1))),
    el("p", {className: "dim"}, `${place + 1} of ${trials.length} \u00b7 `, button("stop here", stopTrials, {className: "link"}))));
  since = 0;
  const address = one => trial.job === null ? source(one) : D.references.pictures[one.image];
  const drawn = [[two[0], address(trial.two[0])], [two[1], address(trial.two[1])], ...(shown ? [[shown, source(trial.job)]] : [])];
  Promise.all(drawn.map(([canvas, from]) => paint(canvas, from))).then(() => { since = performance.now(); });
}

function paint(canvas, from) {
  return new Promise(done => {
    const image = new Image();
    image.onerror = done;
    image.onload = () => {
      const pen = canvas.getContext("2d"), scale = Math.min(512 / image.naturalWidth, 512 / image.naturalHeight), wide = image.naturalWidth * scale, tall = image.naturalHeight * scale;
      pen.imageSmoothingEnabled = scale < 2;
      pen.drawImage(image, (512 - wide) / 2, (512 - tall) / 2, wide, tall);
      done();
    };
    image.src = from;
  });
}

function answer(side) {
  if (!since) return;  // before the pictures are there
  running.answers.push({side, milliseconds: Math.round(performance.now() - since), time: new Date().toISOString()});
  since = 0;
  keepAnswers();
  drawTrial($("#main"));
}

function stopTrials() {
  if (!running.answers.length) { running = null; leaveBlind(); redraw(); return; }
  running.trials = running.trials.slice(0, running.answers.length);
  drawTrial($("#main"));
}

function leaveBlind() {
  document.body.classList.remove("blind");
  document.title = D.title;
}

const trialKeys = {ArrowLeft: 0, ArrowRight: 1, ArrowDown: 2};
const HEADS = ["sweep", "sweep_id", "task", "rater", "seed", "trial", "repeats", "question", "direction", "row", "job", "arm", "job_left", "arm_left", "job_right", "arm_right", "choice", "chosen_job", "chosen_arm", "correct", "milliseconds", "time"];

// One line a trial. Identification: left and right are reference images, `most` or `least`.
function answerLine(trial, place, {side, milliseconds, time}) {
  const {plan} = running, blind = trial.job === null, [left, right] = trial.two, any = blind ? left : trial.job, chosen = side === 2 ? null : trial.two[side];
  const job = i => D.keys[i], arm = i => armText(col(ARM, i));
  const common = [D.title, D.id, trial.task, plan.rater, plan.seed, place, trial.of, plan.question, col(DIRECTION, any), col(ROW, any)];
  if (blind) return [...common, "", "", job(left), arm(left), job(right), arm(right), SIDES[side], chosen === null ? "" : job(chosen), chosen === null ? "" : arm(chosen), "", milliseconds, time];
  return [...common, job(trial.job), arm(trial.job), "", left.end, "", right.end, SIDES[side], "", "", chosen === null ? "" : chosen.end === "most" ? 1 : 0, milliseconds, time];
}

function endTrials(main) {
  const {plan, trials, answers} = running, lines = answers.map((one, place) => answerLine(trials[place], place, one));
  const at = name => HEADS.indexOf(name), words = csvOf([HEADS, ...lines]);
  leaveBlind();
  forget();
  const first = lines.filter(line => line[at("repeats")] === ""), again = lines.filter(line => line[at("repeats")] !== "");
  const tally = new Map();
  for (const line of first) for (const name of plan.task === "preference" ? [line[at("arm_left")], line[at("arm_right")]] : [line[at("arm")]]) {
    const told = tally.get(name) ?? [0, 0];
    told[0] += plan.task === "preference" ? line[at("chosen_arm")] === name : line[at("correct")] === 1;
    told[1]++;
    tally.set(name, told);
  }
  const content = line => plan.task === "preference" ? line[at("chosen_job")] : line[at("correct")];
  const alike = again.filter(line => content(line) === content(lines[line[at("repeats")]])).length;
  main.replaceChildren(el("div", {className: "page judge-end"}, el("h2", {textContent: "Done"}), el("p", {textContent: `${answers.length} answers${again.length ? `; ${alike} of ${again.length} repeated trials were answered alike` : ""}.`}),
    el("table", {}, el("thead", {}, el("tr", {}, ...["arm", plan.task === "preference" ? "chosen" : "correct", "of"].map(head => el("th", {scope: "col", textContent: head})))), el("tbody", {}, ...[...tally].map(([name, [won, all]]) => el("tr", {}, el("th", {scope: "row", textContent: name}), el("td", {textContent: won}), el("td", {textContent: all}))))),
    el("div", {className: "line-up"}, button("Save answers.csv", () => save("answers.csv", words), {className: "primary", id: "save-answers"}), button("Back", () => { running = null; redraw(); }, {className: "quiet"})),
    el("p", {className: "dim", textContent: "For shares with intervals over directions and raters: python -m sweeps.compare DIR --choices answers.csv. Answers of several raters can be given together."})));
}
