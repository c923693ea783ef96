// What all parts share: the data, and which lines are of which layers. The page is whole without this script.
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (selector, within = document) => within.querySelector(selector);
const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];

// The places of a layer in data.layers' rows, and of a block in data.blocks'.
const [NAME, OP, PATH, LINES, PLACES, SHAPE, DIFFERENCE, CORRECTED, WEIGHTS, CALL, WHY] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
const [B_PATH, B_CLASS, B_PARAMETERS, B_FLOPS, B_DIFFERENCE, B_LAYER, B_CHILDREN, B_FLOW] = [0, 1, 2, 3, 4, 5, 6, 7];
const generated = data.files.length - 1;
const idOf = (file, line) => `${data.files[file]}-L${line}`;
const numberOf = (text) => (text === "below 1e-7" || text === "" ? 0 : Number(text));

/** An element with text and children; never markup, whatever stands in a text. */
function made(tag, attributes = {}, ...inside) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...inside);
  return element;
}

/** 11.7 M */
function short(count) {
  for (const unit of ["", " k", " M", " G", " T"]) {
    if (count < 999.5) return unit ? Number(count.toPrecision(3)) + unit : String(count);
    count /= 1000;
  }
  return `${Number(count.toPrecision(3))} P`;
}

/** 1 row, 2 rows */
const counted = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

// By a line's id: its layers; and by a layer, the ids of its lines, that of the op itself first.
const layersOf = new Map();
const idsOf = data.layers.map((layer) => ({
  mxnet: layer[LINES].map((line) => idOf(generated, line)),
  torch: layer[PLACES].map(([file, line]) => idOf(file, line)),
}));
idsOf.forEach((ids, index) => {
  for (const id of [...ids.mxnet, ...ids.torch]) {
    if (!layersOf.has(id)) layersOf.set(id, new Set());
    layersOf.get(id).add(index);
  }
});

// By the id of a line that stands for others (the rest of a statement, the head of a loop, a comment): their ids;
// and by a line's id, those that stand for it alone.
const standsFor = new Map();
const restOf = new Map();
data.spans.forEach((own, file) => {
  for (const [line, first, last] of own) {
    const ids = [];
    for (let number = first; number <= last; number++) if (layersOf.has(idOf(file, number))) ids.push(idOf(file, number));
    standsFor.set(idOf(file, line), ids);
    if (ids.length === 1) restOf.set(ids[0], [...(restOf.get(ids[0]) || []), idOf(file, line)]);
  }
});

/** The layers of a line, and of all that it stands for. */
function layersAt(id) {
  const found = new Set(layersOf.get(id));
  for (const other of standsFor.get(id) || []) for (const index of layersOf.get(other)) found.add(index);
  return found;
}
