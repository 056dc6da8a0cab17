// Data and state of the report's charts. The scripts are joined into one; log text enters
// the page through textContent only.
const byId = (id) => document.getElementById(id);
const all = (query, root = document) => [...root.querySelectorAll(query)];
const make = (tag, cls, text) => {
  const node = document.createElement(tag);
  if (cls) node.className = cls;
  if (text !== undefined) node.textContent = text;
  return node;
};
// The name of SVG, of the icons: the page holds no address, not even a name that looks like one.
const SVG = document.querySelector("svg").namespaceURI;
function drawing(tag, attributes, ...inside) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...inside);
  return node;
}
// What the page holds as JSON; a live page takes that of each newer one.
let source, grids;
function take(text) {
  source = JSON.parse(text);
  grids = source.grids.map((g) => ({ raw: g }));
  for (const chart of source.charts) if (chart.z) for (const line of chart.lines) line.of = chart;
}
take(byId("data").textContent);
const THIN = "\u202f", MINUS = "\u2212";
const MARGIN = { left: 52, right: 8, top: 16, bottom: 22 };

// --- numbers and steps as the rest of the page writes them ---
const group = (n) => String(Math.abs(n)).replace(/\B(?=(\d{3})+$)/g, THIN);
const whole = (n) => (n < 0 ? MINUS : "") + group(Math.round(n));
function number(v, digits = 4, exponent = false) {
  if (Number.isNaN(v)) return "NaN";
  const size = Math.abs(v), sign = v < 0 ? MINUS : "";
  if (!Number.isFinite(size)) return sign + "∞";
  const trim = (t) => (t.includes(".") ? t.replace(/0+$/, "").replace(/\.$/, "") : t);
  if (size !== 0 && (exponent || size >= 1e6 || size < 1e-4)) {
    const [m, e] = size.toExponential(digits - 1).split("e");
    return sign + trim(m) + "e" + e.replace("+", "").replace("-", MINUS);
  }
  if (size >= 10 ** (digits - 1)) return sign + group(Math.round(size));
  return sign + trim(size.toPrecision(digits));
}
function duration(s) {
  for (const [size, name, small, smallName] of
    [[86400, "d", 3600, "h"], [3600, "h", 60, "min"], [60, "min", 1, "s"]])
    if (s >= size) {
      const rest = Math.floor((s % size) / small);
      return `${Math.floor(s / size)} ${name}` + (rest ? ` ${rest} ${smallName}` : "");
    }
  return `${Math.round(s)} s`;
}

// --- data: decoded when first drawn ---
function bytes(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text).buffer;
  const raw = atob(text), out = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
  return out.buffer;
}
function gridOf(index) {
  const grid = grids[index];
  if (!grid.first) {
    const { raw } = grid, Kind = raw.t === 8 ? Float64Array : Uint32Array;
    const read = (text) => Float64Array.from(new Kind(bytes(text)), (v) => v + raw.o);
    grid.first = read(raw.a);
    grid.last = raw.b ? read(raw.b) : grid.first;
    grid.middle = grid.first.map((v, i) => (v + grid.last[i]) / 2);
  }
  return grid;
}
// The lowest bytes of all numbers of a chart come first, then the next ones.
function unpack(chart) {
  const sizes = chart.lines.map((l) => gridOf(l.g).first.length);
  const total = chart.lines.reduce((sum, l, i) => sum + sizes[i] * (l.l ? 3 : 1), 0);
  const planes = inflate(new Uint8Array(bytes(chart.z)), 4 * total);
  const [a, b, c, d] = [0, 1, 2, 3].map((k) => planes.subarray(k * total, (k + 1) * total));
  const mixed = new Uint32Array(total);
  for (let i = 0; i < total; i++) mixed[i] = a[i] | (b[i] << 8) | (c[i] << 16) | (d[i] << 24);
  const values = new Float32Array(mixed.buffer);
  let at = 0;
  chart.lines.forEach((line, i) => {
    const next = () => values.subarray(at, at += sizes[i]);
    line.mean = next();
    [line.low, line.high] = line.l ? [next(), next()] : [line.mean, line.mean];
  });
  chart.z = null;
}
function load(line) {
  if (line.xs) return line;
  line.grid = gridOf(line.g);
  if (line.of?.z) unpack(line.of);
  if (!line.mean) {
    line.mean = new Float32Array(bytes(line.m));
    line.low = line.l ? new Float32Array(bytes(line.l)) : line.mean;
    line.high = line.h ? new Float32Array(bytes(line.h)) : line.mean;
  }
  line.m = line.l = line.h = null;
  if (line.w) spread(line);
  line.xs = {};
  return line;
}
function interpolate(x, from, to) {
  const n = from.length;
  if (n < 2 || x <= from[0]) return n ? to[0] : NaN;
  if (x >= from[n - 1]) {
    const slope = (to[n - 1] - to[n - 2]) / ((from[n - 1] - from[n - 2]) || 1);
    return to[n - 1] + slope * (x - from[n - 1]);
  }
  const i = above(from, x);
  const share = (x - from[i - 1]) / ((from[i] - from[i - 1]) || 1);
  return to[i - 1] + share * (to[i] - to[i - 1]);
}
// First index whose entry exceeds x.
function above(sorted, x) {
  let a = 0, b = sorted.length;
  while (a < b) {
    const middle = (a + b) >> 1;
    if (sorted[middle] > x) b = middle; else a = middle + 1;
  }
  return a;
}
const CLOCK = { epoch: "ce", time: "ct" };
function place(step, run, mode) {
  if (mode === "step") return step;
  const clock = source.runs[run];
  return clock[CLOCK[mode]] ? interpolate(step, clock.cs, clock[CLOCK[mode]]) : NaN;
}
function xsOf(line, mode) {
  if (mode === "step") return line.grid.middle;
  return (line.xs[mode] ??= line.grid.middle.map((s) => place(s, line.r, mode)));
}
function told(x, mode) {
  if (mode === "time") return duration(x);
  return mode === "epoch" ? `epoch ${number(x)}` : `step ${whole(x)}`;
}

// --- state, kept in the address so that a view can be shared ---
const USUAL = source.by || "step";
const state = { mode: USUAL, zoom: null, smooth: 0.5, log: "auto", off: new Set(), focus: 0 };
const asked = new URLSearchParams(location.hash.startsWith("#view") ? location.hash.slice(1) : "");
// What else a page keeps in its address: functions that give parts like `q=adam`.
const keepers = [];
// What else a live page does before it takes newer data; each gives what is to be done after.
const renewals = [];
let hot = -1;
// Browsers allow some 20 changes of an address a second; what comes faster is written once.
let written = -Infinity, writing = false;
function writeState() {
  if (writing) return;
  writing = true;
  const wait = written + 60 - performance.now();
  if (wait > 0) setTimeout(writeNow, wait); else queueMicrotask(writeNow);
}
function writeNow() {
  written = performance.now();
  writing = false;
  const parts = [];
  if (state.mode !== USUAL) parts.push(`x=${state.mode}`);
  if (state.zoom) parts.push(`z=${state.zoom.map((v) => +v.toPrecision(8)).join(",")}`);
  if (state.smooth !== 0.5) parts.push(`s=${state.smooth}`);
  if (state.log !== "auto") parts.push(`y=${state.log}`);
  if (state.off.size) parts.push(`off=${[...state.off].join(",")}`);
  if (state.focus) parts.push(`f=${state.focus}`);
  for (const kept of keepers) parts.push(...kept());
  // Sandboxed pages may not touch their address.
  try { history.replaceState(null, "", `#${parts.length ? "view&" + parts.join("&") : ""}`); }
  catch (error) { if (error.name !== "SecurityError") throw error; }
}
function readState() {
  if (["step", "epoch", "time"].includes(asked.get("x"))) state.mode = asked.get("x");
  const zoom = (asked.get("z") || "").split(",").map(Number);
  state.zoom = zoom.length === 2 && zoom[0] < zoom[1] ? zoom : null;
  if (asked.has("s")) state.smooth = Math.min(10, Math.max(0, Number(asked.get("s")) || 0));
  if (["log", "linear"].includes(asked.get("y"))) state.log = asked.get("y");
  const off = (asked.get("off") || "").split(",").filter(Boolean).map(Number);
  state.off = new Set(off.filter((i) => source.runs[i]));
  state.focus = Number(asked.get("f")) || 0;
}

// --- colours from the style sheet, so that themes need no script of their own ---
let ink = {};
function readColours() {
  const style = getComputedStyle(document.documentElement);
  const get = (name) => style.getPropertyValue(`--${name}`).trim();
  ink = { ink: get("ink"), soft: get("soft"), paper: get("paper"), grey: get("grey"),
    error: get("error"), warning: get("warning"), info: get("info"),
    runs: [0, 1, 2, 3, 4, 5, 6, 7].map((i) => get(`r${i}`)) };
}
const colourOf = (run) => (source.runs[run].c === null ? ink.grey : ink.runs[source.runs[run].c]);
const DASHES = [[], [7, 3], [2, 2.5], [7, 2.5, 2, 2.5]];

