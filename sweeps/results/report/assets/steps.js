// The slider over snapshots: every picture of the page after the same step.
function seen(i) {
  if (S.step === "") return source(i);
  const address = D.snapshots.images[D.snapshots.steps.indexOf(+S.step)][i];
  return address === 0 ? source(i) : address;
}

// A job without that snapshot leaves its place empty.
function showSeen(image) {
  const address = seen(+image.dataset.of);
  image.style.visibility = address ? "" : "hidden";
  if (address) image.src = address;
  return image;
}

const stepName = () => S.step === "" ? "final" : `step ${S.step}`;

function stepSlider() {
  if (!D.snapshots) return null;
  const steps = D.snapshots.steps, last = steps.length;
  const slide = event => { const place = +event.target.value; S.step = place === last ? "" : String(steps[place]); showStep(); keepHash(); };
  return el("label", {className: "field steps", title: "snapshots; numbers are those of the final pictures"}, el("span", {textContent: "after"}),
    el("input", {type: "range", min: 0, max: last, value: S.step === "" ? last : steps.indexOf(+S.step), aria: {label: "step of the pictures", valuetext: stepName()}, oninput: slide}),
    el("output", {textContent: stepName()}));
}

function showStep() {
  document.querySelectorAll("img[data-of]").forEach(showSeen);
  document.querySelectorAll("a[data-of]").forEach(link => { link.href = seen(+link.dataset.of) ?? source(+link.dataset.of); });
  for (const field of document.querySelectorAll(".steps")) {
    const input = $("input", field);
    input.value = S.step === "" ? input.max : D.snapshots.steps.indexOf(+S.step);
    input.setAttribute("aria-valuetext", stepName());
    $("output", field).textContent = stepName();
  }
}
