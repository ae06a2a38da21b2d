// The table: columns of text as codes, columns of numbers, pictures and histories by place.
const D = JSON.parse($("#data").textContent);
const ROW = "@row", DIRECTION = "@direction", ARM = "@arm";
const HIDDEN = ["error", "program"];  // no axes and no filters
const ALL = [...Array(D.n).keys()];
const ARMS = D.columns[ARM].of.map(String);

const col = (name, i) => D.columns[name].of[D.columns[name].codes[i]];
const code = (name, i) => D.columns[name].codes[i];
const num = (metric, i) => D.numbers[metric]?.[i] ?? null;  // no job may have come through
const text = value => value === null || value === undefined ? "none" : String(value);
const titleOf = name => D.titles[name] ?? name;
const armText = name => name === "" || name === null || name === undefined ? "all jobs" : String(name);
const source = i => D.images[i];  // the final picture
const placeOf = new Map(D.keys.map((key, i) => [key, i]));
const isBad = i => col("status", i) !== "ok";

const STATUS = {
  failed: "An error stopped this job; there is no picture to trust.",
  diverged: "A step was not finite, or the final score is below the first image's.",
  dead: "No gradient ever reached the image: the picture is the first one.",
  collapsed: "The image excites the direction less than half of the reference images do: it shows nothing of it.",
};

// Every column that may be an axis of the matrix.
const AXES = [ROW, DIRECTION, ARM, ...Object.keys(D.columns).filter(name =>
  !name.startsWith("@") && !HIDDEN.includes(name) && D.columns[name].of.length <= 400)];

// Jobs by the value of a column, in the column's order.
function groupBy(name, jobs) {
  const groups = new Map();
  for (const i of jobs) {
    const key = code(name, i);
    if (groups.has(key)) groups.get(key).push(i); else groups.set(key, [i]);
  }
  return new Map([...groups].sort((a, b) => a[0] - b[0]));
}

// The jobs of a direction and seed under every arm.
const byRow = groupBy(ROW, ALL);

function references(i, end) {
  return D.references ? D.references[end][i].map(place => D.references.pictures[place]) : [];
}
