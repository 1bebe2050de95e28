"use strict";

document.getElementById("logarithmic").addEventListener("change", (event) => {
  document.body.classList.toggle("log", event.target.checked);
});

function sortBy(table, column, descending) {
  const body = table.tBodies[0];
  const value = (row) => {
    const cell = row.cells[column];
    if (cell.dataset.value !== undefined) return cell.dataset.value === "" ? null : Number(cell.dataset.value);
    const text = cell.textContent.trim();
    if (text === "") return null;
    const number = Number(text.replaceAll(",", ""));
    return Number.isNaN(number) ? text : number;
  };
  const compare = (a, b) => {
    const x = value(a), y = value(b);
    if (x === null || y === null) return (x === null) - (y === null); // what was not measured stays last
    const order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
    return descending ? -order : order;
  };
  body.append(...[...body.rows].sort(compare));
}

for (const heading of document.querySelectorAll("thead th:has(button)")) {
  heading.querySelector("button").addEventListener("click", () => {
    const before = heading.getAttribute("aria-sort");
    const descending = before ? before === "ascending" : heading.dataset.first === "descending";
    for (const other of heading.parentElement.cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
    sortBy(heading.closest("table"), heading.cellIndex, descending);
  });
}

for (const choice of document.querySelectorAll(".choice")) {
  const tables = [...choice.parentElement.querySelectorAll("table[data-chosen]")]
    .map((table) => ({ element: table.parentElement, words: JSON.parse(table.dataset.chosen) }));
  const preferred = tables.find((table) => table.words.includes("batch 128") && table.words.includes("float32"));
  let words = (preferred || tables[0]).words;
  const show = () => {
    for (const table of tables) table.element.hidden = table.words.join() !== words.join();
    for (const button of choice.querySelectorAll("button")) {
      const axis = Number(button.parentElement.dataset.axis);
      button.setAttribute("aria-pressed", String(words[axis] === button.dataset.word));
    }
  };
  choice.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const axis = Number(button.parentElement.dataset.axis), word = button.dataset.word;
    const agreeing = (table) => table.words.filter((each, i) => i === axis || each === words[i]).length;
    // not every setting has been measured with every other: then the nearest that has
    words = tables.filter((table) => table.words[axis] === word).sort((a, b) => agreeing(b) - agreeing(a))[0].words;
    show();
  });
  choice.hidden = false;
  show();
}
