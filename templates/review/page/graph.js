// The graph of blocks. dot has laid out each block's inside by itself; a block that is opened makes room by
// stretching the picture around it, so that nothing laid out beside or below it is covered.
const SVG = "http://www.w3.org/2000/svg";
const graph = $("#graph");
const opened = new Set(data.opened);
// Of the search: the layers that were found; all, where nothing is looked for.
let sought = null;
const PAD = 12;
const HEAD = 24;
// How wide a letter is, at most on average: of a bold title, and of what is small.
const LETTER = { name: 8, "": 6.8, soft: 6.2 };
const SIZED = { b: "block", o: "op", e: "end" };

function drawn(tag, attributes = {}, ...inside) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...inside);
  return element;
}

/** The size and the stretching of a block's inside, with all that is open in it. */
function planned(block) {
  const [nodes, number] = data.blocks[block][B_FLOW];
  const [width, height, middles, curves] = data.layouts[number];
  const inner = nodes.map(([kind, index]) => (kind === "b" && opened.has(index) && data.blocks[index][B_FLOW] ? planned(index) : null));
  const sizes = nodes.map(([kind, index], i) => (inner[i]
    ? [Math.max(inner[i].width + 2 * PAD, titleWidth(index)), inner[i].height + HEAD + PAD]
    : data.sizes[SIZED[kind]]));
  const stretch = [0, 1].map((axis) => {
    // Each open node asks for more room where it stands; those that stand side by side share it.
    const wanted = [];
    nodes.forEach(([kind], i) => {
      const plain = data.sizes[SIZED[kind]][axis];
      if (sizes[i][axis] > plain) wanted.push([middles[i][axis] - plain / 2, middles[i][axis] + plain / 2, sizes[i][axis] - plain]);
    });
    const rooms = [];
    for (const [low, high, more] of wanted.sort((a, b) => a[0] - b[0])) {
      const last = rooms[rooms.length - 1];
      if (last && low < last[1]) { last[1] = Math.max(last[1], high); last[2] = Math.max(last[2], more); } else rooms.push([low, high, more]);
    }
    return (place) => rooms.reduce((sum, [low, high, more]) =>
      sum + more * Math.min(Math.max((place - low) / (high - low || 1), 0), 1), place);
  });
  return { block, nodes, inner, sizes, middles, curves, stretch, width: stretch[0](width), height: stretch[1](height) };
}

/** An open block is as wide as its path, at the least. */
const titleWidth = (block) => (data.blocks[block][B_PATH].length + 2) * LETTER.name + 2 * PAD;

const apart = (difference) => (difference ? `differs by ${difference}` : "not compared");

function label(kind, index) {
  if (kind === "e") return [[index, "soft"]];
  if (kind === "o") return [[`${data.layers[index][OP]}`, ""]];
  const block = data.blocks[index];
  const own = block[B_PATH].split(".").pop();
  return [[(block[B_FLOW] ? "+ " : "") + own, "name"], [block[B_CLASS], ""],
    [`${short(block[B_PARAMETERS])} parameters`, "soft"],
    [`${short(block[B_FLOPS])} FLOPs`, "soft"], [apart(block[B_DIFFERENCE]), "soft"]];
}

const clipped = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

function spoken(kind, index) {
  if (kind === "o") return `${data.layers[index][NAME]}, ${data.layers[index][OP]}, ${apart(data.layers[index][DIFFERENCE])}`;
  const block = data.blocks[index];
  return `${block[B_PATH]}, ${block[B_CLASS]}, ${short(block[B_PARAMETERS])} parameters, ${short(block[B_FLOPS])} FLOPs, ${apart(block[B_DIFFERENCE])}`;
}

function node(plan, i) {
  const [kind, index] = plan.nodes[i];
  const [width, height] = plan.sizes[i];
  const [x, y] = [plan.stretch[0](plan.middles[i][0]) - width / 2, plan.stretch[1](plan.middles[i][1]) - height / 2];
  const open = plan.inner[i];
  const off = sought && !isSought(kind, index);
  const group = drawn("g", { class: `${SIZED[kind]}${open ? " open" : ""}${off ? " off" : ""}`, transform: `translate(${x} ${y})` },
    drawn("rect", { width, height }));
  if (open) {
    group.append(drawn("text", { x: PAD, y: 16, class: "name title" }, `− ${data.blocks[index][B_PATH]}`));
    const inside = drawn("g", { transform: `translate(${(width - open.width) / 2} ${HEAD})` });
    picture(open, inside);
    group.append(inside);
  } else {
    const lines = label(kind, index);
    lines.forEach(([text, name], row) => group.append(drawn("text", {
      x: width / 2, y: height / 2 + 4 + (row - (lines.length - 1) / 2) * 16, class: name }, clipped(text, width / LETTER[name]))));
  }
  if (kind === "e") group.append(drawn("title", {}, index));
  else button(group, kind, index, open);
  return group;
}

/** Whether anything of a node is of what is looked for. */
function isSought(kind, index) {
  if (kind !== "b") return kind === "e" || sought.has(index);
  const path = data.blocks[index][B_PATH];
  return [...sought].some((layer) => `${data.layers[layer][PATH]}.`.startsWith(`${path}.`));
}

/** A node can be pressed: a block opens or closes, an op leads to its code. */
function button(group, kind, index, open) {
  group.classList.add("node");
  const can = kind === "b" && data.blocks[index][B_FLOW];
  const face = open ? drawn("g", { class: "node open-head" }) : group;
  const attributes = { tabindex: 0, role: "button", "aria-label": spoken(kind, index), "data-node": kind + index };
  if (can) attributes["aria-expanded"] = String(Boolean(open));
  if (open) {
    // The head alone: a button holds no other.
    group.classList.remove("node");
    face.append(drawn("rect", { width: group.firstChild.getAttribute("width"), height: HEAD, style: "fill:transparent;stroke:none" }));
    group.append(face);
  }
  for (const [name, value] of Object.entries(attributes)) face.setAttribute(name, value);
  face.append(drawn("title", {}, spoken(kind, index)));
}

/** The points of an edge where the picture is stretched: its two ends, with what bends them, stay at their nodes. */
function bent(plan, [from, to, points]) {
  const last = points.length - 1;
  const off = [[from, points[0]], [to, points[last]]].map(([i, point]) => [0, 1].map((axis) => {
    const plain = data.sizes[SIZED[plan.nodes[i][0]]][axis];
    const share = (point[axis] - plan.middles[i][axis]) / plain;
    return plan.stretch[axis](plan.middles[i][axis]) + share * plan.sizes[i][axis] - plan.stretch[axis](point[axis]);
  }));
  return points.map((point, number) => [0, 1].map((axis) =>
    plan.stretch[axis](point[axis]) + (number < 2 ? off[0][axis] : number > last - 2 ? off[1][axis] : 0)));
}

function picture(plan, into) {
  for (const curve of plan.curves) {
    const [first, ...rest] = bent(plan, curve).map((point) => point.map((place) => place.toFixed(1)).join(" "));
    into.append(drawn("path", { d: `M${first}C${rest.join(" ")}`, "marker-end": "url(#arrow)" }));
  }
  plan.nodes.forEach((_, i) => into.append(node(plan, i)));
}

function draw(focused = "") {
  const plan = planned(0);
  const svg = drawn("svg", { width: plan.width + 2, height: plan.height + 2, role: "group", "aria-label": "Blocks" },
    drawn("defs", {}, drawn("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" },
      drawn("path", { d: "M0 0L8 4L0 8z", class: "tip-of-edge" }))));
  const inside = drawn("g", { transform: "translate(1 1)" });
  picture(plan, inside);
  svg.append(inside);
  graph.replaceChildren(svg);
  if (focused) $(`[data-node="${focused}"]`, graph)?.focus({ preventScroll: true });
}

function press(target) {
  const face = target instanceof Element && target.closest("[data-node]");
  if (!face) return false;
  const [kind, index] = [face.dataset.node[0], Number(face.dataset.node.slice(1))];
  if (kind === "o" || !data.blocks[index][B_FLOW]) {
    toCode(kind === "o" ? index : data.blocks[index][B_LAYER]);
    return true;
  }
  if (!opened.delete(index)) opened.add(index);
  draw(face.dataset.node);
  showNode(face.dataset.node);
  return true;
}

/** Scroll the picture, and the page not, to a block: to all of it, or where it is too large to its title. */
function showNode(name) {
  const own = $(`[data-node="${name}"]`, graph)?.closest(".block")?.getBoundingClientRect();
  if (!own) return;
  const frame = graph.getBoundingClientRect();
  const by = (low, high, from, to) => (low < from || high - low > to - from ? low - from : Math.max(high - to, 0));
  graph.scrollBy(by(own.left - PAD, own.right + PAD, frame.left, frame.left + graph.clientWidth),
    by(own.top - PAD, own.bottom + PAD, frame.top, frame.top + graph.clientHeight));
}

const hasGraph = Boolean(graph && data.blocks[0]?.[B_FLOW]);

/** Show where some layers are; null is all. */
function narrowGraph(layers) {
  sought = layers;
  if (hasGraph) draw();
}

if (hasGraph) {
  draw();
  graph.addEventListener("click", (event) => press(event.target));
  graph.addEventListener("keydown", (event) => {
    if ((event.key === "Enter" || event.key === " ") && press(event.target)) event.preventDefault();
  });
}
