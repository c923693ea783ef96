"use strict";
// What all parts share: the data, and which lines are of which layers. The page is whole without this script.
const root = document.documentElement;
root.classList.add("js");
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (selector, within = document) => within.querySelector(selector);
const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];

// The places of a layer in data.layers' rows, and of a block in data.blocks'.
const [NAME, OP, PATH, LINES, PLACES, SHAPE, DIFFERENCE, CORRECTED] = [0, 1, 2, 3, 4, 5, 6, 7];
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

// Light and dark: the system's choice, until the button is pressed.
const theme = $("#theme");
const isDark = () =>
  (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
const sayTheme = () => { theme.textContent = isDark() ? "Light" : "Dark"; };
theme.addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  sayTheme();
});
sayTheme();
