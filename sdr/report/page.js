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

// A link to a folded section opens it.
const unfold = (hash) => {
  const target = hash && document.getElementById(hash.slice(1));
  if (target instanceof HTMLDetailsElement) target.open = true;
};
for (const link of document.querySelectorAll('a[href^="#"]')) link.addEventListener("click", () => unfold(link.hash));
unfold(location.hash);

// A dot that is pointed at is told below the dots, with the pictures of its cluster, which the page has already.
const panel = document.getElementById("dot");
const show = (dot) => {
  for (const other of document.querySelectorAll("#dots .shown")) other.classList.remove("shown");
  dot.classList.add("shown");
  const words = document.createElement("p");
  words.textContent = dot.dataset.words;
  panel.replaceChildren(words);
  const picture = document.querySelector(`img.sheet[data-cluster="${dot.dataset.cluster}"]`);
  if (picture) panel.append(picture.cloneNode());
};
for (const strip of document.querySelectorAll("#dots svg")) {
  const dots = [...strip.querySelectorAll("circle")];
  for (const dot of dots) for (const event of ["pointerenter", "click"]) dot.addEventListener(event, () => show(dot));
  strip.addEventListener("keydown", ({ key }) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
    if (!step) return;
    const at = dots.findIndex((dot) => dot.classList.contains("shown"));
    show(dots[Math.min(dots.length - 1, Math.max(0, at + step))]);
  });
}
