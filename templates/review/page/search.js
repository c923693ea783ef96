// The search narrows everything: layers by what they are called and stand for, and all that is of them.
const input = $("#q");
const said = $("#found");
// A layer is called stage1_unit1 in MXNet and stage1.unit1 in torch: both are found by either.
const plain = (text) => text.toLowerCase().replaceAll("_", ".");
const plained = (elements) => elements.map((element) => [element, plain(element.textContent)]);
// What is looked through, once something is looked for.
let texts = null;

function readTexts() {
  texts ||= {
    layers: data.layers.map((row) => plain([row[NAME], row[OP], row[PATH], data.shapes[row[SHAPE]]].join(" "))),
    lines: plained($$(".pane .l")),
    rows: plained($$("table.sortable tbody tr")),
    blocks: $$(".outline li").map((item) => [item, plain(`${item.dataset.b} ${$("i", item)?.textContent}`)]),
    summary: plain($("#summary").textContent),
    gradients: data.gradients.map(([name]) => plain(name)),
  };
  return texts;
}

/** resnet.py:182, resnet.py line 182, line 182 or :182: the ids of the lines that are meant, those of the generated code first. */
function placesMeant(text) {
  const [, named, number] = /^(?:line\s*|(\S*?)(?::|-L|:?\s+line\s+|\s+))(\d+)$/i.exec(text.trim()) || [];
  if (!number) return [];
  const file = named?.toLowerCase();
  const own = (name) => !file || `/${name}`.endsWith(`/${file}`);
  return data.files.flatMap((name, index) => (own(name.toLowerCase()) ? [idOf(index, number)] : []))
    .reverse().filter((id) => document.getElementById(id));
}

const worstRows = $("#worst tbody");
const worstAtFirst = [...worstRows.rows];
let wasOpen = null;

function worstOf(layers) {
  const found = layers.filter((index) => data.layers[index][DIFFERENCE]);
  found.sort((a, b) => numberOf(data.layers[b][DIFFERENCE]) - numberOf(data.layers[a][DIFFERENCE]) || a - b);
  return found.slice(0, 10).map((index) => {
    const row = data.layers[index];
    const name = made("code", {}, row[NAME]);
    const [id] = idsOf[index].mxnet;
    return made("tr", {},
      made("td", {}, id ? made("a", { href: `#${id}`, "data-layer": index }, name) : name),
      made("td", { class: "num" }, row[DIFFERENCE]), made("td", { class: "short" }, made("code", {}, row[OP])),
      made("td", { class: "short" }, data.shapes[row[SHAPE]]), made("td", {}, made("code", {}, row[PATH] || "the net itself")));
  });
}

/** Outline: what is found, what is around it or around a layer that is found, and what is in it. */
function narrowOutline(matches, layers) {
  const items = $$(".outline details");
  wasOpen = wasOpen || items.map((item) => item.open);
  const found = new Set(texts.blocks.filter(([, text]) => matches(text)).map(([item]) => item));
  const around = new Set();
  for (const item of found) for (let up = item.parentElement; up; up = up.parentElement) around.add(up);
  const paths = new Set(layers.map((index) => data.layers[index][PATH]));
  for (const [item] of texts.blocks) {
    if (paths.has(item.dataset.b)) for (let up = item; up; up = up.parentElement) around.add(up);
  }
  for (const [item] of texts.blocks) {
    const within = item.parentElement.closest("li");
    const isIn = within && (found.has(within) || within.dataset.shown === "1");
    item.dataset.shown = found.has(item) || isIn ? "1" : "";
    item.hidden = !(item.dataset.shown || around.has(item));
  }
  for (const item of items) item.open = around.has(item);
  return found.size;
}

/** Back to all of it. */
function everything() {
  for (const [element] of [...texts.lines, ...texts.rows, ...texts.blocks]) element.hidden = false;
  $$(".gap, .pane h3, .pane, main > section, .training, #agreement .inference").forEach((part) => { part.hidden = false; });
  $$("#gradients circle").forEach((circle) => circle.classList.remove("off"));
  $("#summary").classList.remove("folded");
  points.forEach((circle) => circle.classList.remove("off"));
  worstRows.replaceChildren(...worstAtFirst);
  if (wasOpen) $$(".outline details").forEach((item, i) => { item.open = wasOpen[i]; });
  wasOpen = null;
  narrowGraph(null);
  isNarrow = false;
}

function showEverything() {
  input.value = "";
  narrow();
}

/** Lines that are of what was found, or say it; a file of which none is left goes with its name. */
function narrowLines(lines, matches) {
  let shown = 0;
  for (const [line, text] of texts.lines) {
    line.hidden = !(lines.has(line.id) || matches(text));
    shown += !line.hidden;
  }
  $$(".gap").forEach((gap) => { gap.hidden = true; });
  for (const pane of Object.values(panes)) {
    let head = null;
    for (const child of pane.children) {
      if (child.matches("h3")) { head = child; head.hidden = true; } else if (head && !child.hidden) head.hidden = false;
    }
  }
  $("#code").hidden = !shown;
  return shown;
}

function narrowAgreement(layers, matches) {
  const kept = new Set(layers);
  points.forEach((circle, index) => circle.classList.toggle("off", !kept.has(index)));
  worstRows.replaceChildren(...worstOf(layers));
  const trained = $(".training");
  const learnt = texts.gradients.map(matches);
  $$("#gradients circle").forEach((circle) => circle.classList.toggle("off", !learnt[Number(circle.dataset.i)]));
  if (trained) trained.hidden = !learnt.includes(true);
  const none = !layers.some((index) => points.has(index));
  $("#agreement .inference").hidden = none;
  $("#agreement").hidden = none && !learnt.includes(true);
}

function narrowRows(matches) {
  let rows = 0;
  for (const [row, text] of texts.rows) {
    row.hidden = !matches(text);
    rows += !row.hidden;
  }
  for (const id of ["weights", "defaults", "unused"]) {
    const part = document.getElementById(id);
    // One without a table says that there is nothing to tell.
    if ($("tbody", part)) part.hidden = !$("tbody tr:not([hidden])", part);
  }
  return rows;
}

/** What was found, each count a link to where it is. */
function tellCounts(counts) {
  const found = counts.filter(([count]) => count);
  if (!found.length) return said.replaceChildren("nothing is found");
  const firstTable = ["weights", "defaults", "unused"].find((id) => $("tbody tr:not([hidden])", document.getElementById(id)));
  return said.replaceChildren(...found.flatMap(([count, word, id], i) => [i ? ", " : "",
    made("a", { href: `#${id || firstTable}` }, counted(count, word))]));
}

let isNarrow = false;
// Where Enter leads: to the line of the first op that is found, or to the first of what is found else.
let toFirst = () => {};

/** A place that is meant: the lines are shown where they are, among the others. */
function tellPlaces(ids) {
  toFirst = () => jump(ids[0]);
  said.replaceChildren(...ids.flatMap((id, i) => [i ? ", " : "", linkTo(id)]));
  pin(document.getElementById(ids[0]));
  for (const id of ids.slice().reverse()) reveal(document.getElementById(id).closest(".pane"), new Set([id]));
}

function narrow() {
  const text = input.value.trim();
  const ids = placesMeant(text);
  toFirst = () => {};
  if (isNarrow && (!text || ids.length)) everything();
  said.replaceChildren();
  if (ids.length) return tellPlaces(ids);
  return text ? narrowTo(plain(text).split(/\s+/)) : undefined;
}

function narrowTo(words) {
  isNarrow = true;
  const matches = (text) => words.every((word) => text.includes(word));
  const layers = readTexts().layers.flatMap((text, index) => (matches(text) ? [index] : []));
  const lines = narrowLines(new Set(layers.flatMap((index) => [...idsOf[index].mxnet, ...idsOf[index].torch])), matches);
  narrowAgreement(layers, matches);
  narrowGraph(new Set(layers));
  const rows = narrowRows(matches);
  const blocks = narrowOutline(matches, layers);
  $("#blocks").hidden = !blocks && !layers.length;
  $("#summary").classList.toggle("folded", !matches(texts.summary));
  tellCounts([[layers.length, "op", lines ? "code" : "agreement"], [lines, "line", "code"], [blocks, "block", "blocks"], [rows, "row", ""]]);
  if (layers.length && (!pinned || document.getElementById(pinned).hidden)) markLayer(layers[0]);
  toFirst = () => {
    const line = $(".pane .l:not([hidden])");
    const first = layers.find((index) => idsOf[index].mxnet.length);
    if (first !== undefined) toCode(first);
    else if (line) jump(line.id);
    else ($(".outline li:not([hidden])") || $("table.sortable tbody tr:not([hidden])"))?.scrollIntoView({ block: "center" });
  };
}

let waiting = 0;
input.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(narrow, 80); });
input.form.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(waiting);
  narrow();
  toFirst();
});
said.addEventListener("click", (event) => {
  const link = event.target instanceof Element && event.target.closest("a.place");
  if (!link) return;
  event.preventDefault();
  jump(decodeURIComponent(link.hash.slice(1)));
});
addEventListener("keydown", (event) => {
  if (event.key === "/" && !event.target.closest?.("input")) { event.preventDefault(); input.focus(); }
  if (event.key === "Escape" && input.value) showEverything();
});

// At first the line of the link, or else that of the first op.
goTo(decodeURIComponent(location.hash.slice(1)));
if (!pinned && data.layers.length) {
  markLayer(0);
  detail.style.minHeight = "";
  for (const pane of Object.values(panes)) reveal(pane, counterparts(new Set([0]), pane.id));
}
