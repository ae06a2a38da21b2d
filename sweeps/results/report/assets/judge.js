// Blind judging, the set-up: which task, which arms, how many trials. The same seed, the same trials.
const TASKS = {
  preference: {title: "Preference", about: "Two pictures of one direction and seed, made by two arms: which one is better? Neither arm is named until the end.", question: "Which picture shows one thing more clearly?"},
  identification: {title: "Identification", about: "One picture, and two natural images: which of these excites the unit more? Preference rewards beauty; this asks what the picture tells (Borowski et al. 2021, Zimmermann et al. 2021).", question: "Which of the two images excites the same unit as the picture above?"},
};

function randomOf(seed) {  // mulberry32: 32 bits of state are enough for an order
  let state = seed >>> 0;
  return () => {
    state = state + 0x6D2B79F5 | 0;
    let t = Math.imul(state ^ state >>> 15, 1 | state);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return ((t ^ t >>> 14) >>> 0) / 4294967296;
  };
}

function shuffle(list, random) {
  for (let i = list.length - 1; i > 0; i--) { const j = Math.floor(random() * (i + 1)); [list[i], list[j]] = [list[j], list[i]]; }
  return list;
}

// Trials in random order with random sides, of the first some again with the sides changed.
function trialsOf(plan) {
  const random = randomOf(plan.seed + 1), of = plan.task === "preference" ? preferencePairs(plan) : identifications(plan);
  const trials = shuffle(of, random).slice(0, plan.most).map(one => ({...one, two: random() < .5 ? one.two : [one.two[1], one.two[0]], of: ""}));
  trials.forEach((one, place) => { one.id = place; });
  const again = shuffle([...trials], random).slice(0, plan.repeats).map(one => ({...one, two: [one.two[1], one.two[0]], of: one.id}));
  return [...trials, ...again];
}

function preferencePairs({a, b}) {
  const pairs = [];
  for (const jobs of byRow.values()) {
    const good = jobs.filter(i => !isBad(i) && source(i));
    good.forEach((x, place) => { for (const y of good.slice(place + 1)) {
      const [p, q] = [col(ARM, x), col(ARM, y)].map(String), wanted = (a === "*" || [p, q].includes(a)) && (b === "*" || [p, q].includes(b));
      if (p !== q && wanted) pairs.push({task: "preference", job: null, two: [x, y]});
    } });
  }
  return pairs;
}

function identifications({a, b}) {
  const arms = a === "*" || b === "*" ? null : [a, b];
  return ALL.filter(i => !isBad(i) && source(i) && (!arms || arms.includes(String(col(ARM, i)))) && references(i, "most").length && references(i, "least").length)
    .map((i, place) => { const [most, least] = [D.references.most[i], D.references.least[i]]; return {task: "identification", job: i, two: [{end: "most", image: most[place % most.length]}, {end: "least", image: least[place % least.length]}]}; });
}

function drawJudge(main) {
  if (running) { drawTrial(main); return; }
  const kept_ = unfinished(), arms = [["*", "any arm"], ...ARMS.map(arm => [arm, armText(arm)])];
  const plan = {task: "preference", a: ARMS[0], b: ARMS[1] ?? "*", question: "", rater: "", most: 40, repeats: 6, seed: 0};
  const number = (key, least, label) => el("label", {className: "field"}, el("span", {textContent: label}), el("input", {type: "number", min: least, max: 2000, value: plan[key], oninput: event => { plan[key] = Math.max(least, Math.floor(+event.target.value) || 0); }}));
  const words = (key, label, hint) => el("label", {className: "field wide"}, el("span", {textContent: label}), el("input", {value: plan[key], placeholder: hint ?? "", maxLength: 200, oninput: event => { plan[key] = event.target.value; }}));
  const said = el("p", {className: "dim", aria: {role: "status"}});
  const start = task => {
    const trials = trialsOf({...plan, task});
    if (!trials.length) { said.textContent = task === "preference" ? "These two arms have no pair of the same direction and seed." : "No job of these arms has reference images at both ends."; return; }
    startTrials({...plan, task, question: plan.question || TASKS[task].question}, trials);
  };
  const card = task => el("section", {className: "card"}, el("h3", {textContent: TASKS[task].title}), el("p", {textContent: TASKS[task].about}),
    task === "identification" && !D.references ? el("p", {className: "dim", textContent: "This sweep kept no reference images."}) : button(`Start ${task}`, () => start(task), {className: "primary", id: `start-${task}`}));
  main.replaceChildren(el("div", {className: "page judge-setup"}, el("h2", {textContent: "Judge blind"}),
    kept_ ? el("div", {className: "card"}, el("p", {textContent: `There are ${kept_.answers.length} of ${kept_.trials.length} answers of an earlier session.`}), button("Go on", () => { running = kept_; redraw(); }, {className: "primary", id: "go-on"}), button("Discard", () => { forget(); redraw(); }, {className: "link"})) : null,
    el("div", {className: "card fields"}, menu("arm", arms, plan.a, value => { plan.a = value; }), menu("against", arms, plan.b, value => { plan.b = value; }), words("rater", "your name", "for the CSV"), words("question", "question", "the task's own if empty"),
      number("most", 1, "trials"), number("repeats", 0, "repeated, sides changed"), number("seed", 0, "order")),
    el("div", {className: "cards"}, card("preference"), card("identification")), said,
    el("p", {className: "dim", textContent: "Keys: \u2190 left, \u2192 right, \u2193 cannot tell, Escape stops. At the end a CSV file is saved; python -m sweeps.compare DIR --choices answers.csv reads it."})));
}
