// Tables are sorted by their heads.
for (const table of $$("table.sortable")) {
  table.tHead.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const head = button.parentElement;
    const way = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    const column = head.cellIndex;
    const isNumber = button.dataset.sort === "number";
    const keyOf = (row) => (isNumber ? Number(row.cells[column].textContent.replaceAll(",", "")) : row.cells[column].textContent);
    const rows = [...table.tBodies[0].rows].map((row) => [keyOf(row), row]);
    rows.sort(([a], [b]) => way * (isNumber ? a - b : a.localeCompare(b, "en", { numeric: true })));
    for (const other of $$("th[aria-sort]", table)) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", way === 1 ? "ascending" : "descending");
    table.tBodies[0].append(...rows.map(([, row]) => row));
  });
}
