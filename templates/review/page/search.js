// The search narrows everything: layers by what they are called and stand for, and all that is of them.
const input = $("#q");
const said = $("#found");
const lowered = (elements) => elements.map((element) => [element, element.textContent.toLowerCase()]);
// What is looked through, once something is looked for.
let texts = null;

function readTexts() {
  texts ||= {
    layers: data.layers.map((row) => [row[NAME], row[OP], row[PATH], data.shapes[row[SHAPE]]].join(" ").toLowerCase()),
    lines: lowered($$(".pane .l")),
    rows: lowered($$("table.sortable tbody tr")),
    blocks: $$(".outline li").map((item) => [item, `${item.dataset.b} ${$("i", item)?.textContent}`.toLowerCase()]),
  };
  return texts;
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

/** Outline: what is found, what is around it, and what is in it. */
function narrowOutline(matches) {
  const items = $$(".outline details");
  wasOpen = wasOpen || items.map((item) => item.open);
  const found = new Set(texts.blocks.filter(([, text]) => matches(text)).map(([item]) => item));
  const around = new Set();
  for (const item of found) for (let up = item.parentElement; up; up = up.parentElement) around.add(up);
  for (const [item] of texts.blocks) {
    const within = item.parentElement.closest("li");
    const isIn = within && (found.has(within) || within.dataset.shown === "1");
    item.dataset.shown = found.has(item) || isIn ? "1" : "";
    item.hidden = !(item.dataset.shown || around.has(item));
  }
  for (const item of items) item.open = around.has(item);
  return found.size;
}

function everything() {
  for (const [element] of [...texts.lines, ...texts.rows, ...texts.blocks]) element.hidden = false;
  $$(".gap").forEach((gap) => { gap.hidden = false; });
  points.forEach((circle) => circle.classList.remove("off"));
  worstRows.replaceChildren(...worstAtFirst);
  if (wasOpen) $$(".outline details").forEach((item, i) => { item.open = wasOpen[i]; });
  wasOpen = null;
  narrowGraph(null);
  said.textContent = "";
}

function narrow() {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return texts && everything();
  const matches = (text) => words.every((word) => text.includes(word));
  const layers = readTexts().layers.flatMap((text, index) => (matches(text) ? [index] : []));
  const lines = new Set(layers.flatMap((index) => [...idsOf[index].mxnet, ...idsOf[index].torch]));
  let shownLines = 0;
  for (const [line, text] of texts.lines) {
    line.hidden = !(lines.has(line.id) || matches(text));
    shownLines += !line.hidden;
  }
  $$(".gap").forEach((gap) => { gap.hidden = true; });
  const kept = new Set(layers);
  points.forEach((circle, index) => circle.classList.toggle("off", !kept.has(index)));
  worstRows.replaceChildren(...worstOf(layers));
  narrowGraph(kept);
  let rows = 0;
  for (const [row, text] of texts.rows) {
    row.hidden = !matches(text);
    rows += !row.hidden;
  }
  const blocks = narrowOutline(matches);
  said.textContent = `${layers.length} ops, ${shownLines} lines, ${blocks} blocks, ${rows} rows`;
}

let waiting = 0;
input.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(narrow, 80); });
input.form.addEventListener("submit", (event) => { event.preventDefault(); narrow(); });
addEventListener("keydown", (event) => {
  if (event.key === "/" && !event.target.closest?.("input")) { event.preventDefault(); input.focus(); }
  if (event.key === "Escape" && input.value) { input.value = ""; narrow(); }
});

// At first the line of the link, or else that of the first op.
goTo(decodeURIComponent(location.hash.slice(1)));
if (!pinned && data.layers.length) {
  mark(new Set([0]));
  for (const pane of Object.values(panes)) reveal(pane, counterparts(new Set([0]), pane.id));
}
