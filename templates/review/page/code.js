// Lines and their counterparts.
const panes = { torch: $("#torch"), mxnet: $("#mxnet") };
const detail = $("#detail");
let pinned = "";
let marked = [];

/** The lines on a side that are what these layers are: where each op is made, and all that makes nothing else. */
function counterparts(layers, side) {
  const found = new Set();
  for (const index of layers) {
    idsOf[index][side].forEach((id, depth) => {
      if (depth === 0 || [...layersOf.get(id)].every((other) => layers.has(other))) found.add(id);
    });
  }
  return found;
}

/** Those of some lines that are of just these layers, if any: what one looks for first. */
function alike(ids, layers) {
  const same = [...ids].filter((id) => layersOf.get(id).size === layers.size);
  const found = same.filter((id) => [...layersOf.get(id)].every((index) => layers.has(index)));
  return new Set(found.length ? found : ids);
}

function unmark() {
  for (const [element, name] of marked) element.classList.remove(name);
  marked = [];
}

function add(id, name) {
  const element = document.getElementById(id);
  if (!element) return;
  element.classList.add(name);
  marked.push([element, name]);
}

/** Mark a set of layers: all of a line's, or one that a plot or a list points at. */
function mark(layers, from = "") {
  unmark();
  if (from) add(from, "on");
  for (const side of ["torch", "mxnet"]) {
    const ids = counterparts(layers, side);
    ids.delete(from);
    for (const id of ids) add(id, "twin");
    const own = from && document.getElementById(from);
    if (!own || !panes[side].contains(own)) reveal(panes[side], alike(ids, layers));
  }
  describe(layers);
  markPoints(layers);
}

/** Scroll a pane, and the page not, to the first of some lines where none of them is in view. */
function reveal(pane, ids) {
  const box = pane.getBoundingClientRect();
  const lines = [...ids].map((id) => document.getElementById(id)).filter((line) => line && !line.hidden);
  if (!lines.length || pane.scrollHeight <= pane.clientHeight) return;
  const tops = lines.map((line) => line.getBoundingClientRect().top - box.top);
  if (tops.some((top) => top > 34 && top < box.height - 24)) return;
  pane.scrollTop += Math.min(...tops) - box.height / 3;
}

const counted = (values) => {
  const counts = new Map();
  for (const value of values) counts.set(value, (counts.get(value) || 0) + 1);
  return [...counts];
};
const few = (texts, most) => (texts.length > most ? [...texts.slice(0, most), `${texts.length - most} more`] : texts);

/** What is said of some layers: ops, shapes, difference, what was corrected, names. */
function describe(layers) {
  const rows = [...layers].map((index) => data.layers[index]);
  const ops = counted(rows.map((row) => row[OP])).map(([op, count]) => (count > 1 ? `${op} × ${count}` : op));
  const shapes = [...new Set(rows.map((row) => data.shapes[row[SHAPE]]))];
  const compared = rows.map((row) => row[DIFFERENCE]).filter(Boolean);
  const worst = compared.sort((a, b) => numberOf(b) - numberOf(a))[0];
  const corrected = [...new Set(rows.flatMap((row) => row[CORRECTED]))].sort((a, b) => a - b);
  const names = few(rows.map((row) => row[NAME]), 8).join(", ");
  const innermost = (side) => few([...new Set([...layers].map((i) => idsOf[i][side][0]).filter(Boolean))], 4);
  const place = (id) => id.replace("-L", ":");
  detail.replaceChildren(
    made("p", { class: "chips" },
      made("code", { class: "torch-place" }, innermost("torch").map(place).join(", ") || "no line of torch's"), "↔",
      made("code", { class: "mxnet-place" }, innermost("mxnet").map(place).join(", ") || "no line of MXNet's")),
    made("p", { class: "chips" },
      made("b", {}, few(ops, 5).join(", ")),
      made("span", {}, "shape ", few(shapes, 4).join(" ")),
      made("span", {}, worst ? `largest difference ${worst}` : "not compared by itself")),
    ...(corrected.length ? [made("ul", {}, ...corrected.map((index) => {
      const [op, attribute, torch, mxnet, why] = data.defaults[index];
      return made("li", {}, made("code", {}, `${op} ${attribute}=${torch}`), `, where MXNet has ${mxnet}. `,
        made("span", { class: "soft" }, why && `MXNet: ${why}`));
    }))] : []),
    made("p", { class: "soft" }, names),
  );
}

const lineOf = (target) => target instanceof Element && target.closest(".l.m");
const showLine = (line) => mark(layersOf.get(line.id) || new Set(), line.id);

/** Back to what was chosen, when nothing is pointed at. */
function rest() {
  const line = pinned && document.getElementById(pinned);
  if (line) showLine(line);
}

function pin(line) {
  $$(".l.pin").forEach((other) => other.classList.remove("pin"));
  pinned = line.id;
  line.classList.add("pin");
  showLine(line);
}

/** To a line by its link: it is shown in its pane, and marked. */
function goTo(id) {
  const line = document.getElementById(id);
  if (!line || !line.matches(".l.m")) return;
  line.scrollIntoView({ block: "nearest" });
  rove(line.closest(".pane"), line);
  pin(line);
}

/** One line of each pane is in the order of the Tab key; the arrow keys go to the others. */
function rove(pane, line) {
  $$("a[tabindex='0']", pane).forEach((link) => link.setAttribute("tabindex", "-1"));
  $("a", line).setAttribute("tabindex", "0");
}

for (const pane of Object.values(panes)) {
  const first = $(".l.m", pane);
  if (first) rove(pane, first);
  pane.addEventListener("pointerover", (event) => {
    const line = lineOf(event.target);
    if (line && event.pointerType !== "touch") showLine(line);
  });
  pane.addEventListener("pointerleave", rest);
  pane.addEventListener("focusin", (event) => {
    const line = lineOf(event.target);
    if (line) { rove(pane, line); showLine(line); }
  });
  pane.addEventListener("click", (event) => {
    const line = lineOf(event.target);
    if (!line || !getSelection().isCollapsed || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    rove(pane, line);
    pin(line);
    history.replaceState(null, "", `#${line.id}`);
  });
  pane.addEventListener("keydown", (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1 }[event.key];
    const own = lineOf(event.target);
    if (!by || !own) return;
    const lines = $$(".l.m", pane).filter((line) => !line.hidden);
    const next = lines[lines.indexOf(own) + by];
    event.preventDefault();
    if (next) { rove(pane, next); $("a", next).focus({ preventScroll: true }); next.scrollIntoView({ block: "nearest" }); }
  });
}
addEventListener("hashchange", () => goTo(decodeURIComponent(location.hash.slice(1))));
