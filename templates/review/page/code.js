// Lines and their counterparts.
const panes = { torch: $("#torch"), mxnet: $("#mxnet") };
// What was chosen: a line, and the layer of it that was meant, if one was.
let pinned = "";
let meant = -1;
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
  const own = new Set(from ? [from, ...(standsFor.get(from) || [])] : []);
  const whole = own.size > 2 ? [from] : [...own].flatMap((id) => [id, ...(restOf.get(id) || [])]);
  for (const id of whole) add(id, "on");
  for (const side of ["torch", "mxnet"]) {
    const ids = counterparts(layers, side);
    for (const id of whole) ids.delete(id);
    for (const id of ids) for (const line of [id, ...(restOf.get(id) || [])]) add(line, "twin");
    if (!from || !panes[side].contains(document.getElementById(from))) reveal(panes[side], alike(ids, layers));
  }
  markPoints(layers);
  return own;
}

/** Point at a layer. */
function markLayer(index) {
  keepHeight();
  const only = new Set([index]);
  mark(only);
  describe(only, oneOf(index, only), true);
}

/** What is pointed at goes as it came: what is below the box must not move under the pointer. */
function keepHeight() {
  detail.style.minHeight = `${detail.offsetHeight}px`;
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

const lineOf = (target) => target instanceof Element && target.closest(".pane .l");

/** Mark a line, and say what it is; of its layers, one may be meant. */
function showLine(line, only = -1) {
  const layers = layersAt(line.id);
  if (!layers.size) {
    unmark();
    add(line.id, "on");
    markPoints(layers);
    describeNone(line.id);
  } else if (only < 0) {
    const ids = mark(layers, line.id);
    describe(layers, leadOf(ids, layers), false, layers.size ? declaredAt(line.id) : []);
  } else {
    mark(new Set([only]), line.id);
    describe(new Set([only]), oneOf(only, layers), true);
  }
}

/** Back to where the keyboard is, or to what was chosen, when nothing is pointed at. */
function rest() {
  const line = lineOf(document.activeElement) || (pinned && document.getElementById(pinned));
  if (line) showLine(line, line.id === pinned ? meant : -1);
}

function pin(line, only = -1) {
  $$(".l.pin").forEach((other) => other.classList.remove("pin"));
  pinned = line.id;
  meant = only;
  line.classList.add("pin");
  detail.style.minHeight = "";
  showLine(line, only);
}

/** To a line by its link: it is shown in its pane, and marked. */
function goTo(id, only = -1) {
  const line = document.getElementById(id);
  if (!lineOf(line)) return false;
  if (line.hidden) showEverything();
  line.scrollIntoView({ block: "nearest" });
  rove(line.closest(".pane"), line);
  pin(line, only);
  return true;
}

/** The same, as a step of the browser's history. */
function jump(id, only = -1) {
  if (goTo(id, only)) history.pushState(null, "", `#${id}`);
}

/** One line of each pane is in the order of the Tab key; the arrow keys go to the others. */
function rove(pane, line) {
  $$("a[tabindex='0']", pane).forEach((link) => link.setAttribute("tabindex", "-1"));
  $("a", line).setAttribute("tabindex", "0");
}

/** The next line with ops from where the keyboard is: a line, or the pane itself, from what was chosen in it. */
function step(pane, target, by) {
  const chosen = pinned && document.getElementById(pinned);
  const own = lineOf(target) || (pane.contains(chosen) && chosen);
  const lines = $$(".l.m", pane).filter((line) => !line.hidden && (line === own || !line.classList.contains("s")));
  if (!own) return $("a[tabindex='0']", pane)?.closest(".l");
  if (lines.includes(own)) return lines[lines.indexOf(own) + by];
  const follows = (line) => Boolean(own.compareDocumentPosition(line) & Node.DOCUMENT_POSITION_FOLLOWING);
  return by > 0 ? lines.find(follows) : lines.filter((line) => !follows(line)).pop();
}

// A pane that scrolls below a pointer that rests is not pointed at.
let pointer = "";
const hasMoved = (event) => {
  const before = pointer;
  pointer = `${event.clientX} ${event.clientY}`;
  return before !== pointer;
};

for (const pane of Object.values(panes)) {
  const first = $(".l.m", pane);
  if (first) rove(pane, first);
  pane.addEventListener("pointermove", hasMoved);
  pane.addEventListener("pointerover", (event) => {
    const line = lineOf(event.target);
    if (!hasMoved(event) || event.pointerType === "touch") return;
    keepHeight();
    if (line) showLine(line, line.id === pinned ? meant : -1);
    else rest();
  });
  pane.addEventListener("pointerleave", rest);
  pane.addEventListener("focusin", (event) => {
    const line = lineOf(event.target);
    if (line) { rove(pane, line); keepHeight(); showLine(line, line.id === pinned ? meant : -1); }
  });
  pane.addEventListener("click", (event) => {
    const line = lineOf(event.target);
    if (!line || !getSelection().isCollapsed || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    $("a", line).focus({ preventScroll: true });
    pin(line);
    history.replaceState(null, "", `#${line.id}`);
  });
  pane.addEventListener("keydown", (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1 }[event.key];
    if (!by || event.ctrlKey || event.metaKey || event.altKey) return;
    const next = step(pane, event.target, by);
    event.preventDefault();
    if (next) { $("a", next).focus({ preventScroll: true }); next.scrollIntoView({ block: "nearest" }); }
  });
}
addEventListener("hashchange", () => goTo(decodeURIComponent(location.hash.slice(1))));

const wrap = $("#wrap");
wrap.addEventListener("click", () => {
  wrap.setAttribute("aria-pressed", String($(".codes").classList.toggle("wrapped")));
});
