// The plots: what is under the pointer is named, and a click leads to its code.
const chart = $("#layers");
const points = new Map($$("circle", chart).map((circle) => [Number(circle.dataset.i), circle]));
const order = [...points.keys()];
let current = 0;

function markPoints(layers) {
  $$("circle.on", chart).forEach((circle) => circle.classList.remove("on"));
  if (layers.size > 12) return;
  for (const index of layers) points.get(index)?.classList.add("on");
}

function tip(svg, circle, ...inside) {
  const box = $(".tip", svg.parentElement);
  box.hidden = false;
  box.replaceChildren(...inside);
  const across = parseFloat(circle.getAttribute("cx"));
  box.style.left = across < 50 ? `${across}%` : "auto";
  box.style.right = across < 50 ? "auto" : `${100 - across}%`;
  box.style.top = `calc(${circle.getAttribute("cy")} + 0.6rem)`;
}

function nearest(svg, circles, event) {
  const box = svg.getBoundingClientRect();
  const [x, y] = [event.clientX - box.left, event.clientY - box.top];
  const away = (circle) => {
    const dx = (parseFloat(circle.getAttribute("cx")) / 100) * box.width - x;
    const dy = (parseFloat(circle.getAttribute("cy")) / 100) * box.height - y;
    return dx * dx + dy * dy / 4;
  };
  return circles.reduce((best, circle) => (away(circle) < away(best) ? circle : best));
}

/** Point at a layer: it is named, and its lines are marked. */
function show(index) {
  const row = data.layers[index];
  tip(chart, points.get(index), made("code", {}, row[NAME]), made("br"),
    `${row[OP]} ${data.shapes[row[SHAPE]]}: ${row[DIFFERENCE]}`);
  markLayer(index);
  current = order.indexOf(index);
  chart.setAttribute("aria-valuenow", current + 1);
  chart.setAttribute("aria-valuetext", `${row[NAME]}, ${row[OP]}, difference ${row[DIFFERENCE]}`);
}

function toCode(index) {
  const id = idsOf[index]?.mxnet[0];
  if (id) jump(id, index);
}

if (order.length) {
  // A slider is what one moves along with the arrow keys, and hears where one is.
  for (const [name, value] of Object.entries({
    role: "slider", tabindex: 0, "aria-valuemin": 1, "aria-valuemax": order.length, "aria-valuenow": 1,
    "aria-valuetext": data.layers[order[0]][NAME],
  })) chart.setAttribute(name, value);
  const live = () => [...points.values()].filter((circle) => !circle.classList.contains("off"));
  const hit = (event) => Number(nearest(chart, live().length ? live() : [...points.values()], event).dataset.i);
  chart.addEventListener("pointermove", (event) => show(hit(event)));
  chart.addEventListener("click", (event) => toCode(hit(event)));
  chart.addEventListener("pointerleave", () => { $(".tip", chart.parentElement).hidden = true; rest(); });
  chart.addEventListener("blur", () => { $(".tip", chart.parentElement).hidden = true; });
  chart.addEventListener("keydown", (event) => {
    const to = { ArrowRight: current + 1, ArrowUp: current + 1, ArrowLeft: current - 1, ArrowDown: current - 1,
      Home: 0, End: order.length - 1 }[event.key];
    if (event.key === "Enter") toCode(order[current]);
    if (to === undefined) return;
    event.preventDefault();
    show(order[Math.min(Math.max(to, 0), order.length - 1)]);
  });
}

const training = $("#gradients");
if (training && $("circle", training)) {
  training.addEventListener("pointermove", (event) => {
    const circle = nearest(training, $$("circle", training), event);
    const [name, difference] = data.gradients[Number(circle.dataset.i)];
    tip(training, circle, made("code", {}, name), `: ${difference}`);
  });
  training.addEventListener("pointerleave", () => { $(".tip", training.parentElement).hidden = true; });
}

// Links that mean a layer, not only a line.
addEventListener("click", (event) => {
  const link = event.target instanceof Element && event.target.closest("a[data-layer]");
  if (!link) return;
  event.preventDefault();
  toCode(Number(link.dataset.layer));
});
for (const name of ["pointerover", "focusin"]) {
  addEventListener(name, (event) => {
    const link = event.target instanceof Element && event.target.closest("#worst a[data-layer]");
    if (link) markLayer(Number(link.dataset.layer));
  });
}
