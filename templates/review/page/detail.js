// What is said of the line that is marked, below the two codes.
const detail = $("#detail");
const names = data.files.map((file) => file.split("/").pop());

/** modeling_bert.py:436, where one file alone is called so. */
function placeOf(id) {
  const [file, line] = [id.slice(0, id.lastIndexOf("-L")), id.slice(id.lastIndexOf("-L") + 2)];
  const own = file.split("/").pop();
  return `${names.indexOf(own) === names.lastIndexOf(own) ? own : file}:${line}`;
}

const linkTo = (id) => made("a", { href: `#${id}`, class: "place" }, placeOf(id));

/** Texts and elements with commas between them; a button opens what is more than the first few. */
function listed(values, most, make, between = ", ") {
  const nodes = (some) => some.flatMap((value, i) => (i ? [between, make(value)] : [make(value)]));
  const found = nodes(values.slice(0, most));
  if (values.length <= most) return found;
  const button = made("button", { type: "button", class: "more" }, `${values.length - most} more`);
  button.addEventListener("click", () => {
    const rest = nodes(values.slice(most));
    button.replaceWith(...rest);
    const elements = rest.filter((node) => node instanceof Element);
    elements.map((node) => (node.matches("a") ? node : $("a", node))).find(Boolean)?.focus();
  });
  return [...found, between, button];
}

// So many reasons are told: a line that calls a function is of all that stand in it.
const MOST_WHYS = 3;

const tally = (values) => {
  const counts = new Map();
  for (const value of values) counts.set(value, (counts.get(value) || 0) + 1);
  return [...counts];
};
const blockAt = new Map(data.blocks.map((block, index) => [block[B_PATH], index]));
const differs = (difference) => (difference ? `differs by ${difference}` : "not compared by itself");

/** Where torch's source calls a block, in one of its layers: the id of the line. */
function calledAt(block, layers) {
  for (const index of layers) {
    const depth = data.layers[index][PLACES].findIndex((place) => place[2] === block);
    if (depth >= 0) return idsOf[index].torch[depth];
  }
  return "";
}

/** The innermost block that all of some layers are in. */
function blockAround(layers) {
  const paths = [...layers].map((index) => data.layers[index][PATH].split("."));
  let shared = paths[0];
  for (const path of paths) {
    const end = shared.findIndex((part, i) => part !== path[i]);
    if (end >= 0) shared = shared.slice(0, end);
  }
  return blockAt.get(shared.join(".")) ?? 0;
}

/** The blocks that the lines of some ids run: those that torch calls there, or that a function of MXNet's is of. */
function blocksRun(ids, layers) {
  const found = new Set();
  let isCall = false;
  for (const index of layers) {
    idsOf[index].torch.forEach((id, depth) => {
      const block = data.layers[index][PLACES][depth][2];
      if (block !== undefined && ids.has(id)) found.add(block);
    });
    isCall ||= idsOf[index].mxnet.slice(1).some((id) => ids.has(id));
  }
  if (found.size || !isCall) return [...found];
  const around = blockAround(layers);
  if (calledAt(around, layers) || !data.blocks[around][B_CHILDREN].length) return [around];
  const paths = [...layers].map((index) => `${data.layers[index][PATH]}.`);
  return data.blocks[around][B_CHILDREN].filter((child) => paths.some((path) => path.startsWith(`${data.blocks[child][B_PATH]}.`)));
}

/** Blocks of one class that one line calls: their paths, class, and where that is. */
function blockWords([place, cls, blocks]) {
  return made("span", {}, ...listed(blocks, 4, (block) => made("b", {}, data.blocks[block][B_PATH] || "the net itself")),
    cls && ` (${cls})`, ...(place ? [", called at ", linkTo(place)] : []));
}

/** The blocks that are of one class and called by one line, together. */
function alikeBlocks(blocks, layers) {
  const found = new Map();
  for (const block of blocks) {
    const [place, cls] = [calledAt(block, layers), data.blocks[block][B_CLASS]];
    const key = `${place} ${cls}`;
    if (!found.has(key)) found.set(key, [place, cls, []]);
    found.get(key)[2].push(block);
  }
  return [...found.values()];
}

/** What is in a block: each part leads to its code. */
function partWords(block) {
  const own = data.blocks[block];
  const name = own[B_PATH].split(".").pop();
  const words = own[B_CLASS] ? `${name} (${own[B_CLASS]})` : name;
  const [id] = idsOf[own[B_LAYER]]?.mxnet || [];
  return id ? made("a", { href: `#${id}`, "data-layer": own[B_LAYER] }, words) : made("span", {}, words);
}

function leadOf(ids, layers) {
  const blocks = blocksRun(ids, layers);
  if (!blocks.length) return [];
  const lead = [made("p", { class: "lead-in" }, ...listed(alikeBlocks(blocks, layers), 3, blockWords, "; "))];
  const [own] = blocks;
  const parts = data.blocks[own][B_CHILDREN];
  if (blocks.length === 1) {
    lead[0].append(`: ${short(data.blocks[own][B_PARAMETERS])} parameters, ${short(data.blocks[own][B_FLOPS])} FLOPs, `,
      differs(data.blocks[own][B_DIFFERENCE]));
  }
  if (parts.length) lead.push(made("p", {}, blocks.length > 1 ? "In the first: " : "In it: ", ...listed(parts, 8, partWords)));
  return lead;
}

const layerLink = (index) => {
  const [id] = idsOf[index].mxnet;
  const name = data.layers[index][NAME];
  return id ? made("a", { href: `#${id}`, "data-layer": index }, name) : made("span", {}, name);
};

/** One layer, to which something else than its line led. */
function oneOf(index, layers) {
  const row = data.layers[index];
  const said = [made("p", { class: "lead-in" }, made("b", {}, row[NAME]), ` ${differs(row[DIFFERENCE])}: ${row[OP]} of shape ${data.shapes[row[SHAPE]]}, in torch `,
    made("code", {}, row[PATH] || "the net itself"))];
  if (layers.size > 1) {
    const button = made("button", { type: "button", class: "more" }, `all ${layers.size} ops of its line`);
    button.addEventListener("click", () => pin(document.getElementById(pinned)));
    said.push(made("p", {}, "The line is run several times, or makes several ops: ", button));
  }
  return said;
}

function correctedWords(index) {
  const [op, attribute, torch, mxnet, why] = data.defaults[index];
  return made("li", {}, made("code", {}, `${op} ${attribute}=${torch}`), `, where MXNet has ${mxnet}. `,
    made("span", { class: "soft" }, why));
}

/** A call of torch's, of which these layers are: its op, module and place, how far it is from torch's, and the layers. */
function callWords([call, own]) {
  const row = data.layers[own[0]];
  const worst = own.map((index) => data.layers[index][DIFFERENCE]).filter(Boolean).sort((a, b) => numberOf(b) - numberOf(a))[0];
  const [place] = idsOf[own[0]].torch;
  return made("div", {}, data.calls[call] ? made("code", {}, data.calls[call]) : "no call of torch's", " in ",
    row[PATH] ? made("code", {}, row[PATH]) : "the net itself", ...(place ? [", ", linkTo(place)] : []),
    `, ${differs(worst)}: `, ...listed(own, 3, layerLink));
}

/** The calls of torch's for which some layers are made, the first few of them; a line may be run many times. */
function callsOf(layers) {
  const found = new Map();
  for (const index of layers) {
    const call = data.layers[index][CALL];
    found.set(call, [...(found.get(call) || []), index]);
  }
  return [
    ...(found.size > 1 ? [made("p", { class: "soft" }, `Run for ${found.size} calls of torch's:`)] : []),
    made("div", { class: "calls" }, ...listed([...found], 4, callWords, "")),
  ];
}

/** What MXNet says of the ops of some layers, and a link to its manual. */
function glossary(rows) {
  return [...new Set(rows.map((row) => row[OP]))].filter((op) => data.ops[op]).map((op) => {
    const [does, link] = data.ops[op];
    const name = link ? made("a", { href: link, rel: "noreferrer" }, `mx.sym.${op}`) : made("code", {}, op);
    return made("p", { class: "op" }, name, does && `: ${does}`);
  });
}

// The rows of the weights, which the page has for machines; read when one is first told of.
let weightRows;

/** A weight with torch's keys for it. */
function weightWords(index) {
  weightRows ||= JSON.parse(document.getElementById("review").textContent).review.weights;
  const own = weightRows[index];
  const keys = listed(own.keys, 3, (key) => made("code", {}, key));
  const words = own.joined ? [` holds these ${own.keys.length} of torch's, ${own.joined}: `, ...keys]
    : own.keys.length ? [" is torch's ", ...keys] : [` is the constant ${own.constant}`];
  return made("span", {}, made("code", {}, own.name), ...words);
}

/** The weights that the Variables of a line are. */
const declaredAt = (id) => data.declared.filter(([line]) => idOf(generated, line) === id).map(([, weight]) => weight);

const weightList = (weights) => (weights.length ? [made("p", { class: "weights" }, ...listed(weights, 4, weightWords, "; "))] : []);

/** What is said of some layers: where they are, ops, shapes, difference, what was corrected, names. */
function describe(layers, lead, isOne = false, declared = []) {
  const rows = [...layers].map((index) => data.layers[index]);
  const ops = tally(rows.map((row) => row[OP])).map(([op, count]) => (count > 1 ? `${op} × ${count}` : op));
  const shapes = [...new Set(rows.map((row) => data.shapes[row[SHAPE]]))];
  const compared = rows.map((row) => row[DIFFERENCE]).filter(Boolean);
  const worst = compared.sort((a, b) => numberOf(b) - numberOf(a))[0];
  const corrected = [...new Set(rows.flatMap((row) => row[CORRECTED]))].sort((a, b) => a - b);
  const innermost = (side) => [...new Set([...layers].map((i) => idsOf[i][side][0]).filter(Boolean))];
  const places = (side, name) => made("span", { class: `${side}-place` },
    ...(innermost(side).length ? listed(innermost(side), 4, linkTo) : [`no line of ${name}'s`]));
  const read = [...new Set(rows.flatMap((row) => row[WEIGHTS]))];
  detail.replaceChildren(
    ...weightList(declared),
    ...lead,
    made("p", { class: "chips" }, places("torch", "torch"), "↔", places("mxnet", "MXNet")),
    ...(isOne ? [] : [made("p", { class: "chips" },
      made("b", {}, ...listed(ops, 5, (op) => op)),
      made("span", {}, "shape ", ...listed(shapes, 4, (shape) => shape, " ")),
      made("span", {}, worst ? `largest difference ${worst}` : "not compared by itself"))]),
    ...(declared.length ? [] : weightList(read)),
    ...glossary(rows),
    ...[...new Set(rows.map((row) => row[WHY]))].filter((why) => why !== undefined).slice(0, MOST_WHYS)
      .map((why) => made("p", { class: "why" }, data.whys[why])),
    ...(corrected.length ? [made("ul", {}, ...corrected.map(correctedWords))] : []),
    ...callsOf(layers),
  );
}

/** A line of which nothing is: what was said of another must not stand as an answer. */
function describeNone(id) {
  detail.replaceChildren(made("p", { class: "chips" }, made("code", {}, placeOf(id)), made("span", {}, "no op of MXNet's is made here")));
}
detail.addEventListener("click", (event) => {
  const link = event.target instanceof Element && event.target.closest("a.place");
  if (!link) return;
  event.preventDefault();
  jump(decodeURIComponent(link.hash.slice(1)));
});
