// The side: search, the scatter, and for every column that differs its values to tick.
const MOST_VALUES = 40;

function drawSide() {
  const side = $("#side"), open = new Set([...side.querySelectorAll("details[open]")].map(d => d.dataset.column));
  const first = !side.childElementCount, top = side.scrollTop;
  const search = el("input", {type: "search", id: "search", placeholder: "Search directions, arms, settings", value: S.q, aria: {label: "search"},
    oninput: event => { S.q = event.target.value; redraw({side: false}); }});
  side.replaceChildren(search, scatterPanel(), ...filterNames().map(name => facet(name, first ? name === ARM || name === "status" : open.has(name))));
  side.scrollTop = top;
  drawScatter();
}

function filterNames() {
  const names = Object.keys(D.columns).filter(name => !HIDDEN.includes(name) && name !== ROW && name !== "label" && D.columns[name].of.length > 1);
  const order = [ARM, "sweep", "status", DIRECTION];
  return [...order.filter(name => names.includes(name)), ...names.filter(name => !order.includes(name))];
}

function facet(name, open) {
  const {of, codes} = D.columns[name], counts = new Array(of.length).fill(0);
  for (const one of codes) counts[one]++;
  const off = new Set(hidden[name] ?? []);
  const body = of.length > MOST_VALUES ? [el("p", {className: "dim", textContent: `${of.length} values: use the search`})]
    : of.map((value, place) => valueLine(name, value, counts[place], off));
  return el("details", {className: "facet", open, data: {column: name}},
    el("summary", {}, el("span", {textContent: titleOf(name)}), el("span", {className: "dim", textContent: off.size ? `${of.length - off.size} of ${of.length}` : String(of.length)})),
    off.size ? button("show all", () => { hide(name, []); redraw(); }, {className: "link"}) : null, ...body);
}

function valueLine(name, value, count, off) {
  const key = text(value);
  const change = event => {
    if (event.target.checked) off.delete(key); else off.add(key);
    hide(name, [...off]);
    redraw();
  };
  return el("div", {className: "value"},
    el("label", {}, el("input", {type: "checkbox", checked: !off.has(key), onchange: change}),
      name === ARM ? swatch(value) : null, el("span", {className: "text", textContent: name === ARM ? armText(value) : key, title: key})),
    button("only", () => { showOnly(name, [key]); redraw(); }, {className: "link only", aria: {label: `only ${key}`}}),
    el("span", {className: "dim", textContent: count}));
}

// What is filtered, each with a cross that undoes it.
function chips() {
  const told = [];
  const chip = (words, undo) => told.push(button(`${words} \u00d7`, () => { undo(); redraw(); }, {className: "chip", aria: {label: `remove filter: ${words}`}}));
  if (S.q) chip(`search: ${S.q}`, () => { S.q = ""; });
  if (brushBox()) chip(`picked in the scatter`, () => { S.brush = ""; });
  for (const [name, values] of Object.entries(hidden)) {
    const left = D.columns[name].of.map(text).filter(value => !values.includes(value));
    const words = left.length === 1 ? `only ${left[0] || "all jobs"}` : values.length === 1 ? `not ${values[0] || "all jobs"}` : `${left.length} of ${left.length + values.length}`;
    chip(`${titleOf(name)}: ${words}`, () => hide(name, []));
  }
  if (told.length > 1) told.push(button("clear all", () => { hidden = {}; S.q = S.brush = ""; redraw(); }, {className: "link"}));
  return el("div", {className: "chips", hidden: !told.length, aria: {label: "filters", role: "group"}}, ...told);
}
