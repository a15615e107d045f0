// Sort a table by the column whose heading is pressed; a second press turns the order round.
// Rows of <tfoot> (the mean) stay. A cell's data-value is sorted by where it has one, its text otherwise.
for (const button of document.querySelectorAll("table.sortable th button")) {
  button.addEventListener("click", () => {
    const heading = button.closest("th");
    const table = button.closest("table");
    const body = table.tBodies[0];
    const column = Number(heading.dataset.column);
    const value = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
    const isNumber = heading.classList.contains("number");
    const descending = heading.ariaSort === "none" ? isNumber : heading.ariaSort === "ascending";
    const compare = isNumber
      ? (a, b) => value(a) - value(b)
      : (a, b) => value(a).localeCompare(value(b), undefined, { numeric: true });
    const rows = [...body.rows].sort((a, b) => (descending ? compare(b, a) : compare(a, b)));
    for (const other of table.querySelectorAll("th[aria-sort]")) other.ariaSort = "none";
    heading.ariaSort = descending ? "descending" : "ascending";
    body.append(...rows);
  });
}
