"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const state = { view: data.datasets[0].name, sort: "published", descending: true };

// ---- what a view shows ----

const datasetsOf = (view) => data.datasets.filter((each) => view === "both" || each.name === view);
const isTimed = (name) => data.rows.some((row) => row.results[name].publishedSeconds !== null);
const rounded = (value, digits) => (value === null ? "" : value.toFixed(digits));
const seconds = (value) => (value === null ? "" : value >= 100 ? Math.round(value).toLocaleString("en") : value.toPrecision(2));

// each column: key, heading, value of a row by which it is sorted, and the text of its cell
function columns() {
  const made = [{ key: "name", heading: "configuration", value: (row) => `${row.classifier} ${row.parameters}` }];
  for (const { name, title } of datasetsOf(state.view)) {
    const of = (row) => row.results[name];
    const prefix = state.view === "both" ? `${title} ` : "";
    const key = (word) => (state.view === "both" ? `${name} ${word}` : word);
    const number = (word, heading, value, text) =>
      made.push({ key: key(word), heading: prefix + heading, number: true, value, text });
    number("published", "published", (row) => of(row).published, (row) => rounded(of(row).published, 3));
    number("mean", "reproduced", (row) => of(row).mean, (row) =>
      of(row).mean === null ? "" : `${of(row).mean.toFixed(4)}${of(row).deviation === null ? "" : ` ± ${of(row).deviation.toFixed(4)}`}`);
    number("difference", "difference", (row) => of(row).difference, (row) =>
      of(row).difference === null ? "" : `${of(row).difference >= 0 ? "+" : "−"}${Math.abs(of(row).difference).toFixed(4)}`);
    if (state.view === "both") continue;
    number("seeds", "seeds", (row) => of(row).seeds || null, (row) => String(of(row).seeds || ""));
    if (isTimed(name)) number("publishedSeconds", "published seconds", (row) => of(row).publishedSeconds, (row) => seconds(of(row).publishedSeconds));
    number("seconds", "seconds", (row) => of(row).seconds, (row) => seconds(of(row).seconds));
    made.push({ key: "within", heading: "verdict", value: (row) => of(row).within, verdict: of });
  }
  return made;
}

function filtered() {
  const words = byId("parameters").value.toLowerCase().split(/\s+/).filter(Boolean);
  const classifier = byId("classifier").value;
  return data.rows.filter((row) =>
    (classifier === "" || row.classifier === classifier) &&
    words.every((word) => `${row.parameters},`.toLowerCase().includes(word)) &&
    (!byId("with-results").checked || datasetsOf(state.view).some(({ name }) => row.results[name].mean !== null)));
}

function sorted(rows, column) {
  const compare = (a, b) => {
    const x = column.value(a), y = column.value(b);
    if (x === null || y === null) return (x === null) - (y === null); // what has no value stays last
    const order = typeof x === "string" ? x.localeCompare(y, "en", { numeric: true }) : x - y;
    return state.descending ? -order : order;
  };
  return [...rows].sort(compare);
}

// ---- the table ----

function element(name, attributes = {}, text = "") {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

function headingRow(shown) {
  const line = element("tr");
  for (const column of shown) {
    const cell = element("th", { scope: "col", class: column.number ? "number" : "text" });
    if (column.key === state.sort) cell.setAttribute("aria-sort", state.descending ? "descending" : "ascending");
    const button = element("button", { type: "button", "data-key": column.key }, column.heading);
    cell.append(button);
    line.append(cell);
  }
  return line;
}

function bodyRow(row, shown) {
  const line = element("tr");
  for (const column of shown) {
    if (column.key === "name") {
      const cell = element("th", { scope: "row" }, row.classifier);
      const parameters = element("small");
      row.parameters.split(/(?<=,)/).forEach((part, i) => parameters.append(...(i ? [element("wbr")] : []), part));
      cell.append(parameters);
      if (row.variant) cell.append(element("small", { class: "variant" }, row.variant));
      line.append(cell);
    } else if (column.verdict) {
      const cell = element("td"), { within, reported } = column.verdict(row);
      if (within !== null) {
        cell.append(element("span", { class: within ? "good" : "bad" }, `${within ? "within" : "beyond"} ±${row.tolerance}`));
      } else if (reported !== null) {
        cell.textContent = `reported ${reported}`;
      }
      line.append(cell);
    } else {
      const text = column.text(row);
      line.append(element("td", text === "" ? { class: "number" } : { class: "number", "data-label": column.heading }, text));
    }
  }
  return line;
}

// ---- the plot ----

const narrow = matchMedia("(max-width: 44rem)"); // there, a smaller drawing has larger text
const EDGE = { left: 44, right: 12, top: 26, bottom: 34 };

function drawn(name, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

// the dots of a row: accuracy against time, published and reproduced
function dotsOf(row, dataset) {
  const each = row.results[dataset], dots = [];
  if (each.published !== null && each.publishedSeconds !== null) {
    dots.push({ row, kind: "published", x: each.publishedSeconds, y: each.published, spread: each.publishedDeviation });
  }
  if (each.mean !== null) dots.push({ row, kind: "ours", x: Math.max(each.seconds, 1e-3), y: each.mean, spread: each.deviation });
  return dots;
}

function chart(dataset, rows) {
  const [WIDTH, HEIGHT] = narrow.matches ? [380, 300] : [640, 360];
  const svg = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, tabindex: 0, role: "img",
    "aria-label": `${dataset.title}: accuracy against seconds` });
  const pairs = rows.map((row) => dotsOf(row, dataset.name));
  const dots = pairs.flat().sort((a, b) => a.x - b.x);
  svg.append(drawn("text", { x: EDGE.left, y: 14, class: "title" }, `${dataset.title}: accuracy`));
  if (!dots.length) {
    svg.append(drawn("text", { x: EDGE.left, y: HEIGHT / 2 }, "No row has an accuracy and a time."));
    return svg;
  }
  const low = Math.floor(Math.log10(Math.min(...dots.map((dot) => dot.x))));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...dots.map((dot) => dot.x)))));
  const least = Math.floor(20 * Math.min(...dots.map((dot) => dot.y)) - 0.2) / 20;
  const most = Math.max(least + 0.05, Math.ceil(20 * Math.max(...dots.map((dot) => dot.y)) + 0.2) / 20); // no dot on an edge
  const x = (value) => EDGE.left + (Math.log10(value) - low) / (high - low) * (WIDTH - EDGE.left - EDGE.right);
  const y = (value) => HEIGHT - EDGE.bottom - (value - least) / (most - least) * (HEIGHT - EDGE.top - EDGE.bottom);
  const every = narrow.matches && high - low > 4 ? 2 : 1;
  for (let power = low; power <= high; power += every) {
    svg.append(drawn("line", { class: "grid", x1: x(10 ** power), x2: x(10 ** power), y1: EDGE.top, y2: HEIGHT - EDGE.bottom }));
    svg.append(drawn("text", { x: x(10 ** power), y: HEIGHT - 14, "text-anchor": power === high ? "end" : "middle" }, `${(10 ** power).toLocaleString("en")} s`));
  }
  const step = most - least > 0.25 ? 0.1 : 0.05;
  for (let value = Math.ceil(least / step - 1e-9) * step; value <= most + 1e-9; value += step) {
    svg.append(drawn("line", { class: "grid", x1: EDGE.left, x2: WIDTH - EDGE.right, y1: y(value), y2: y(value) }));
    svg.append(drawn("text", { x: EDGE.left - 6, y: y(value) + 4, "text-anchor": "end" }, value.toFixed(2)));
  }
  for (const pair of pairs) {
    if (pair.length === 2) {
      svg.append(drawn("line", { class: "link", x1: x(pair[0].x), y1: y(pair[0].y), x2: x(pair[1].x), y2: y(pair[1].y) }));
    }
  }
  for (const dot of dots) {
    if (dot.spread) {
      svg.append(drawn("line", { class: `bar ${dot.kind}`, x1: x(dot.x), x2: x(dot.x),
        y1: y(Math.min(most, dot.y + 2 * dot.spread)), y2: y(Math.max(least, dot.y - 2 * dot.spread)) }));
    }
    dot.mark = drawn("circle", { class: dot.kind, cx: x(dot.x), cy: y(dot.y), r: 4 });
    dot.mark.addEventListener("pointerenter", () => choose(dot));
    svg.append(dot.mark);
  }
  let at = -1;
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    at = at < 0 && step < 0 ? dots.length - 1 : Math.min(dots.length - 1, Math.max(0, at + step));
    choose(dots[at]);
  });
  return svg;
}

function choose(dot) {
  for (const other of document.querySelectorAll("svg .chosen")) other.classList.remove("chosen");
  dot.mark.classList.add("chosen");
  const spread = dot.spread ? ` ± ${(2 * dot.spread).toFixed(4)}` : "";
  const kind = dot.kind === "ours" ? "reproduced" : "published";
  byId("point").textContent =
    `${dot.row.classifier}(${dot.row.parameters}), ${kind}: ${dot.y.toFixed(dot.kind === "ours" ? 4 : 3)}${spread}, ${seconds(dot.x)} s`;
}

// ---- everything together ----

function show() {
  const shown = columns();
  const column = shown.find((each) => each.key === state.sort) || shown[1];
  state.sort = column.key;
  const rows = sorted(filtered(), column);
  const table = byId("rows");
  const focused = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.key : undefined;
  table.tHead.replaceChildren(headingRow(shown));
  table.tBodies[0].replaceChildren(...rows.map((row) => bodyRow(row, shown)));
  if (focused) table.tHead.querySelector(`[data-key="${focused}"]`)?.focus();
  byId("charts").replaceChildren(...datasetsOf(state.view).map((dataset) => chart(dataset, rows)));
  const untimed = datasetsOf(state.view).filter(({ name }) => !isTimed(name)).map(({ title }) => title);
  byId("untimed").textContent = untimed.length ? `For ${untimed.join(" and ")} no times were published, so that only reproduced results have a dot.` : "";
  byId("count").textContent = `${rows.length} of ${data.rows.length} rows`;
  for (const tab of document.querySelectorAll('[role="tab"]')) {
    const selected = tab.dataset.view === state.view;
    tab.setAttribute("aria-selected", String(selected));
    tab.tabIndex = selected ? 0 : -1;
  }
}

byId("rows").tHead.addEventListener("click", (event) => {
  const key = event.target.closest("button")?.dataset.key;
  if (!key) return;
  state.descending = key === state.sort ? !state.descending : key !== "name";
  state.sort = key;
  show();
});

byId("tabs").addEventListener("click", (event) => {
  const tab = event.target.closest("button");
  if (!tab) return;
  state.view = tab.dataset.view;
  show();
});

byId("tabs").addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (step === undefined) return;
  const tabs = [...document.querySelectorAll('[role="tab"]')];
  const next = tabs[(tabs.findIndex((tab) => tab.dataset.view === state.view) + step + tabs.length) % tabs.length];
  state.view = next.dataset.view;
  show();
  next.focus();
});

narrow.addEventListener("change", show);
byId("filters").addEventListener("input", show);
byId("filters").addEventListener("submit", (event) => event.preventDefault());
show();
