// Draws the tables that bear data-chart as charts, and draws them again when they change.
//
// The table stays in the page: it is the chart for who cannot see it, and where its data come from.
// Its first column is the time; each cell has its value in data-value, times in milliseconds.

const HEIGHT = 180;
// Between two marks of the axes, in pixels.
const SPACE_X = 60;
const SPACE_Y = 32;

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

// 1, 2, 5, 10, 20, 50 …
const ROUND = Array.from({ length: 24 }, (_, at) => [1, 2, 5][at % 3] * 10 ** Math.floor(at / 3));
const SPANS = [1, 10, 100, SECOND, 10 * SECOND, MINUTE, 10 * MINUTE, HOUR, 10 * HOUR, 100 * HOUR];

// How the values of a chart are written, what its axis is like, and the variables of app.css for
// its lines. Durations are logarithmic: between most of them and the longest lie powers of ten.
const KINDS = {
  throughput: {
    written: number,
    scale: { range: (_, _low, high) => [0, Math.max(high ?? 0, 1) * 1.05] },
    axis: { incrs: ROUND, size: 44 },
    lines: ["--good", "--bad"],
  },
  latency: {
    written: span,
    scale: { distr: 3, range: (_, low, high) => [floor(low ?? 10), ceil(high ?? SECOND)] },
    axis: { splits: (plot) => SPANS.filter((one) => isShown(plot, one)), filter: all, size: 56 },
    lines: ["--accent", "--warn"],
  },
};

function floor(ms) {
  return SPANS.findLast((one) => one <= ms) ?? SPANS[0];
}

function ceil(ms) {
  return SPANS.find((one) => one > ms) ?? ms;
}

function isShown(plot, ms) {
  return ms >= plot.scales.y.min && ms <= plot.scales.y.max;
}

function all(_, marks) {
  return marks;
}

// The reader's, as the pages write times by times.js.
function timeOfDay(seconds) {
  return new Date(seconds * 1000).toTimeString().slice(0, 5);
}

// Numbers and spans as hub/dashboard/pages/format.py writes them.
function number(value) {
  return String(value).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

function span(ms) {
  if (ms === 0) return "0";
  if (ms < SECOND) return `${ms} ms`;
  if (ms < MINUTE) return `${ms < 9_950 ? Number((ms / SECOND).toFixed(1)) : Math.floor(ms / SECOND)} s`;
  return ms < HOUR ? two(ms, MINUTE, "min", SECOND, "s") : two(ms, HOUR, "h", MINUTE, "min");
}

function two(ms, large, largeName, small, smallName) {
  const rest = Math.floor((ms % large) / small);
  return `${Math.floor(ms / large)} ${largeName}` + (rest ? ` ${rest} ${smallName}` : "");
}

// The last minute still goes on: a line down to it would look like a fall. It is a point apart.
function beforeLast(plot, _series, _from, to, gaps) {
  const times = plot.data[0];
  const last = times.length - 1;
  if (to < last || last < 1) return gaps;
  const x = (at) => Math.round(plot.valToPos(times[at], "x", true));
  // From a pixel earlier, or the beginning of the fall shows.
  const begin = x(last - 1) - 1;
  return [...gaps.filter((gap) => gap[0] < begin), [begin, x(last)]];
}

// Points that no line goes through, which would not be seen: between gaps, and the last.
function alone(plot, series) {
  const values = plot.data[series];
  const isGap = (at) => (values[at] ?? null) === null;
  const end = values.length - 1;
  const apart = (at) => (at === end || isGap(at - 1)) && (at >= end - 1 || isGap(at + 1));
  return Array.from(values.keys()).filter((at) => !isGap(at) && apart(at));
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
  if (table.dataset.chart === "latency") {
    // A logarithm knows no zero.
    for (const at of columns.keys()) if (at) columns[at] = columns[at].map(atLeastOne);
  }
  return columns;
}

function atLeastOne(ms) {
  return ms === null ? null : Math.max(ms, 1);
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
    this.plot = new uPlot(this.options(table), read(table), this.box);
    new ResizeObserver(() => this.resize()).observe(this.box);
  }

  options(table) {
    const { written, scale, axis } = KINDS[this.kind];
    const [, ...others] = names(table);
    const value = (_, shown) => (shown === null ? "" : written(shown));
    return {
      width: this.width(),
      height: HEIGHT,
      cursor: { y: false, drag: { x: false, y: false } },
      scales: { y: scale },
      axes: [
        this.axis(SPACE_X, timeOfDay, 30),
        { ...this.axis(SPACE_Y, written), ...axis },
      ],
      series: [
        { value: (plot, seconds, _, at) => this.time(plot, seconds, at) },
        ...others.map((label, at) => ({
          label,
          value,
          width: 2,
          // The second line is told by more than its colour.
          dash: at ? [6, 4] : undefined,
          gaps: beforeLast,
          points: { show: true, size: 6, filter: alone },
          stroke: () => this.colours().lines[at],
        })),
      ],
    };
  }

  time(plot, seconds, at) {
    if (seconds === null) return "";
    return timeOfDay(seconds) + (at === plot.data[0].length - 1 ? ", so far" : "");
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
    const lines = KINDS[this.kind].lines.map(colour);
    return { text: colour("--dim"), grid: colour("--line"), lines };
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
    const { lines } = this.colours();
    // The first is the time's.
    const marks = Array.from(this.box.querySelectorAll(".u-marker")).slice(1);
    marks.forEach((mark, at) => (mark.style.borderColor = lines[at]));
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
