// Draws the tables that bear data-chart as charts, and draws them again when they change.
//
// The table stays in the page: it is the chart for who cannot see it, and where its data come from.
// Its first column is the time; each cell has its value in data-value, times in milliseconds.

const HEIGHT = 180;
// Between two marks of the axes, in pixels.
const SPACE_X = 60;
const SPACE_Y = 32;

// How the values of a chart are written, where it is not as numbers.
const WRITTEN = { latency: span };
// Variables of app.css.
const LINES = { throughput: ["--good", "--bad"], latency: ["--accent", "--warn"] };

// The pages speak UTC, and so do the charts.
function timeOfDay(seconds) {
  return new Date(seconds * 1000).toISOString().slice(11, 16);
}

function span(ms) {
  return ms < 1000 ? `${ms} ms` : `${Number((ms / 1000).toPrecision(3))} s`;
}

// Points between gaps: no line goes through them, and they would not be seen.
function alone(plot, series) {
  const values = plot.data[series];
  const isGap = (at) => (values[at] ?? null) === null;
  return Array.from(values.keys()).filter((at) => !isGap(at) && isGap(at - 1) && isGap(at + 1));
}

function loaded(element) {
  return new Promise((resolve, reject) => {
    element.addEventListener("load", resolve);
    element.addEventListener("error", reject);
    document.head.append(element);
  });
}

// Only pages with charts pay for it.
async function loadLibrary() {
  const style = document.createElement("link");
  style.rel = "stylesheet";
  style.href = new URL("vendor/uPlot.min.css", import.meta.url);
  const script = document.createElement("script");
  script.src = new URL("vendor/uPlot.iife.min.js", import.meta.url);
  await Promise.all([loaded(style), loaded(script)]);
  return window.uPlot;
}

function read(table) {
  const rows = Array.from(table.querySelectorAll("tbody tr"), (row) =>
    Array.from(row.querySelectorAll("[data-value]"), (cell) =>
      cell.dataset.value === "" ? null : Number(cell.dataset.value),
    ),
  );
  const width = table.querySelectorAll("thead th").length;
  const columns = Array.from({ length: width }, (_, at) => rows.map((row) => row[at] ?? null));
  columns[0] = columns[0].map((ms) => ms / 1000);
  return columns;
}

function names(table) {
  return Array.from(table.querySelectorAll("thead th"), (head) => head.textContent.trim());
}

class Chart {
  constructor(uPlot, table) {
    this.id = table.id;
    this.kind = table.dataset.chart;
    this.box = document.createElement("div");
    this.box.className = "chart";
    this.box.dataset.keep = "";
    // The table says the same.
    this.box.setAttribute("aria-hidden", "true");
    (table.closest("details") ?? table).before(this.box);
    this.plot = new uPlot(this.options(uPlot, table), read(table), this.box);
    new ResizeObserver(() => this.resize()).observe(this.box);
  }

  options(uPlot, table) {
    const written = WRITTEN[this.kind] ?? String;
    const [time, ...others] = names(table);
    const value = (_, number) => (number === null ? "–" : written(number));
    return {
      width: this.width(),
      height: HEIGHT,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      cursor: { y: false, drag: { x: false, y: false } },
      scales: { y: { range: (_, low, high) => [0, Math.max(high ?? 0, 1) * 1.05] } },
      axes: [this.axis(SPACE_X, timeOfDay, 30), this.axis(SPACE_Y, written, 60)],
      series: [
        { label: time, value: (_, seconds) => (seconds === null ? "–" : timeOfDay(seconds)) },
        ...others.map((label, at) => ({
          label,
          value,
          width: 2,
          // The second line is told by more than its colour.
          dash: at ? [6, 4] : undefined,
          points: { show: true, size: 5, filter: alone },
          stroke: () => this.colours().lines[at],
        })),
      ],
    };
  }

  // Asked for at each drawing, so that a change between light and dark only needs a new one.
  axis(space, written, size) {
    return {
      space,
      size,
      values: (_, marks) => marks.map(written),
      stroke: () => this.colours().text,
      grid: { stroke: () => this.colours().grid, width: 1 },
      ticks: { show: false },
    };
  }

  colours() {
    const style = getComputedStyle(this.box);
    const colour = (name) => style.getPropertyValue(name).trim() || style.color;
    const lines = LINES[this.kind] ?? ["--accent", "--warn"];
    return { text: colour("--dim"), grid: colour("--line"), lines: lines.map(colour) };
  }

  width() {
    return Math.max(this.box.clientWidth, 200);
  }

  resize() {
    if (this.plot.width !== this.width()) this.plot.setSize({ width: this.width(), height: HEIGHT });
  }

  // The plot stays the same for ever: a new one at each change would have to be taken apart.
  update() {
    const table = document.getElementById(this.id);
    if (table) this.plot.setData(read(table));
  }

  redraw() {
    this.plot.redraw(false, true);
  }
}

async function start() {
  const tables = document.querySelectorAll("table[data-chart][id]");
  if (tables.length === 0) return;
  const uPlot = await loadLibrary();
  const charts = Array.from(tables, (table) => new Chart(uPlot, table));
  document.addEventListener("live:shown", () => charts.forEach((chart) => chart.update()));
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", () => charts.forEach((chart) => chart.redraw()));
}

await start();
