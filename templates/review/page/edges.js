// What is wider than its frame fades at the right edge, until it is scrolled to its end.
const framed = [...document.querySelectorAll(".bar nav, .scroll")];
const fade = (frame) => frame.classList.toggle("wide", frame.scrollLeft + frame.clientWidth < frame.scrollWidth - 2);
const sizes = new ResizeObserver((seen) => seen.forEach((one) => fade(one.target.closest(".bar nav, .scroll"))));
for (const frame of framed) {
  frame.addEventListener("scroll", () => fade(frame), { passive: true });
  sizes.observe(frame);
  [...frame.children].forEach((child) => sizes.observe(child));
}
