"use strict";
// Light and dark: the system's choice, until the button is pressed.
const root = document.documentElement;
root.classList.add("js");
const theme = document.getElementById("theme");
const isDark = () =>
  (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
const sayTheme = () => { theme.textContent = isDark() ? "Light" : "Dark"; };
theme.addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  sayTheme();
});
sayTheme();
