// Draws charts on canvases over the static pictures.
// --- charts ---
function charted(c) {
  const figure = byId(c.k), plot = figure.querySelector(".plot");
  const canvas = make("canvas"), cursor = make("div", "cursor"), brush = make("div", "brush");
  const marks = make("div", "marks");
  cursor.hidden = brush.hidden = true;
  plot.append(canvas, marks, cursor, brush);
  plot.tabIndex = 0;
  plot.setAttribute("role", "group");
  return filled({ figure, plot, canvas, cursor, brush, markBox: marks, seen: false, logAxis: null,
    at: null }, c);
}
// A chart with the lines that the page has of it now.
function filled(chart, c) {
  const now = chart.figure.querySelector(".now")?.textContent || "";
  chart.plot.setAttribute("aria-label", `${c.name}: arrow keys move the cursor, plus and minus ` +
    `zoom, Escape shows all. ${now}`);
  const trained = c.lines.some((l) => l.s === "train");
  return Object.assign(chart, c, { trained, dirty: true, fit: null });
}
const charts = source.charts.map(charted);
const modeOf = (chart) => (chart.own ? "step" : state.mode);
const shown = (chart) => chart.lines.filter((l) => !state.off.has(l.r)).map(load);
const isLog = (chart) => !chart.zero && (state.log === "auto" ? chart.logAxis ?? chart.log
  : state.log === "log");
let spans = {};
function fullSpan(chart) {
  const key = chart.own ? chart.k : state.mode;
  if (!spans[key]) {
    let a = Infinity, b = -Infinity;
    for (const other of chart.own ? [chart] : charts.filter((o) => !o.own))
      for (const line of other.lines) {
        const grid = gridOf(line.g);
        const lo = place(grid.first[0], line.r, modeOf(chart));
        const hi = place(grid.last[grid.last.length - 1], line.r, modeOf(chart));
        if (lo < a) a = lo;
        if (hi > b) b = hi;
      }
    spans[key] = a <= b ? [a, b > a ? b : a + 1] : [0, 1];
  }
  return spans[key];
}
// A metric that fills only a corner of the common range starts with a range of its own.
function ownSpan(chart) {
  const full = fullSpan(chart);
  if (chart.fit?.mode !== state.mode) {
    const ends = chart.lines.flatMap((line) => {
      const { first, last } = gridOf(line.g), mode = modeOf(chart);
      return [place(first[0], line.r, mode), place(last[last.length - 1], line.r, mode)];
    }).filter((v) => !Number.isNaN(v));
    const a = Math.min(...ends), b = Math.max(...ends);
    const small = b > a && b - a < 0.25 * (full[1] - full[0]);
    chart.fit = { mode: state.mode, span: small ? [a, b] : full };
  }
  return chart.fit.span;
}
const spanOf = (chart) => (chart.own ? chart.ownZoom || fullSpan(chart)
  : state.zoom || ownSpan(chart));

// Debiased average over the axis, not over the points: each value counts for the stretch since
// the one before, and weights halve over a share of the whole range. NaN leaves it unchanged.
function smoothed(line, xs, half, log) {
  const out = new Float64Array(xs.length).fill(NaN);
  let sum = 0, weight = 0, before = xs[0] - (xs[1] - xs[0]);
  for (let i = 0; i < xs.length; i++) {
    const keep = 0.5 ** ((xs[i] - before) / half), v = log ? Math.log(line.mean[i]) : line.mean[i];
    if (!Number.isFinite(v)) continue;
    const size = xs[i] - before || 1e-9;
    sum = sum * keep + v * size;
    weight = weight * keep + size;
    before = xs[i];
    out[i] = log ? Math.exp(sum / weight) : sum / weight;
  }
  return out;
}
function range(chart, lines, span, log) {
  const parts = lines.map((line) => {
    const xs = xsOf(line, modeOf(chart));
    return [line, Math.max(0, above(xs, span[0]) - 1), Math.min(xs.length, above(xs, span[1]) + 1)];
  });
  const values = new Float64Array(parts.reduce((sum, [, a, b]) => sum + 2 * Math.max(0, b - a), 1));
  let n = 0;
  for (const [line, a, b] of parts)
    for (const held of line.low === line.mean ? [line.mean] : [line.low, line.high])
      for (let i = a; i < b; i++) {
        const v = held[i];
        if (v === v && (!log || v > 0)) values[n++] = log ? Math.log(v) : v;
      }
  // What is a difference shows where there is none.
  if (chart.zero) values[n++] = 0;
  if (!n) return { low: log ? Math.log(0.1) : 0, high: log ? 0 : 1, cut: false };
  const sorted = values.subarray(0, n).sort();
  let low = sorted[0], high = sorted[n - 1];
  const inner = [sorted[Math.floor(0.01 * (n - 1))], sorted[Math.ceil(0.99 * (n - 1))]];
  const most = inner[1] - inner[0], cut = most > 0 && high - low > 4 * most;
  if (cut && low < inner[0] - most) low = inner[0];
  if (cut && high > inner[1] + most) high = inner[1];
  const pad = (high - low) * 0.05 || Math.abs(high) * 0.05 || 0.5;
  return { low: low - pad, high: high + pad, cut };
}
function ticks(low, high, most) {
  const raw = (high - low) / most, size = 10 ** Math.floor(Math.log10(raw));
  const unit = [1, 2, 5, 10].map((m) => m * size).find((u) => u >= raw);
  const out = [];
  for (let k = Math.ceil(low / unit); k * unit <= high; k++) out.push(k * unit);
  return out;
}
function tickDigits(levels, largest) {
  if (levels.length < 2 || !largest) return 3;
  const apart = Math.log10(largest) - Math.log10(levels[1] - levels[0]);
  return Math.min(8, Math.max(3, Math.ceil(apart + 1)));
}
function logTicks(low, high) {
  const a = Math.ceil(low / Math.LN10), b = Math.floor(high / Math.LN10), out = [];
  if (b - a < 1) return ticks(Math.exp(low), Math.exp(high), 5).filter((v) => v > 0);
  const stride = Math.max(1, Math.ceil((b - a + 1) / 5));
  for (let k = a; k <= b; k += stride) out.push(10 ** k);
  return out;
}
const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
function timeTicks([a, b], most) {
  const [size, name] = UNITS.find(([u]) => b - a >= 2 * u) || [1, "s"];
  return ticks(a / size, b / size, most).map((v) => [v * size, `${number(v)} ${name}`]);
}

function draw(chart) {
  const width = chart.plot.clientWidth, height = chart.plot.clientHeight;
  if (!width) return;
  chart.dirty = false;
  chart.size = { width, height };
  const scale = window.devicePixelRatio || 1, { canvas } = chart;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  paint(pen, chart, width, height);
  placeMarks(chart, modeOf(chart), chart.scale);
}
// The inside of a chart, with anything that draws like a canvas.
function paint(pen, chart, width, height) {
  const lines = shown(chart), log = isLog(chart), span = spanOf(chart), mode = modeOf(chart);
  const { low, high, cut } = range(chart, lines, span, log);
  const left = MARGIN.left, right = width - MARGIN.right;
  const told = phasesOf(chart, lines);
  const top = MARGIN.top + (told.labels ? 12 : 0), bottom = height - MARGIN.bottom;
  const x = (v) => left + ((v - span[0]) / (span[1] - span[0])) * (right - left);
  const y = (v) => {
    const at = log ? (v > 0 ? Math.log(v) : low) : v;
    return bottom - Math.min(1.02, Math.max(-0.02, (at - low) / (high - low))) * (bottom - top);
  };
  chart.scale = { x, left, right, top, bottom, back: (p) =>
    span[0] + ((p - left) / (right - left)) * (span[1] - span[0]) };
  axes(pen, chart, { span, mode, low, high, log, x, y, left, right, top, bottom });
  pen.save();
  pen.beginPath();
  pen.rect(left, top - 1, right - left, bottom - top + 2);
  pen.clip();
  context(pen, chart, lines, mode, x, y, top, bottom);
  const rank = (l) => (l.r === hot ? 4 : source.runs[l.r].c === null ? 0 : 2) - (l.faint ? 1 : 0);
  for (const line of [...lines].sort((a, b) => rank(a) - rank(b)))
    stroke(pen, chart, line, { span, mode, log, x, y, many: lines.filter((l) => !l.faint).length });
  pen.restore();
  phaseTicks(pen, told, (step) => x(place(step, told.run, mode)), left, right, top);
  notFinite(pen, lines, mode, x, left, right, bottom);
  if (cut) {
    pen.fillStyle = ink.soft;
    pen.textAlign = "right";
    pen.fillText("extremes cut off", right, top + 8);
  }
}
function axes(pen, chart, { span, mode, low, high, log, x, y, left, right, top, bottom }) {
  pen.font = "11px system-ui, sans-serif";
  pen.lineWidth = 1;
  pen.textBaseline = "middle";
  pen.textAlign = "right";
  const levels = log ? logTicks(low, high) : ticks(low, high, 5);
  const largest = Math.max(...levels.map(Math.abs)), tiny = largest < 1e-3;
  const digits = log ? 3 : tickDigits(levels, largest);
  for (const v of levels) {
    const at = Math.round(y(v)) + 0.5;
    pen.globalAlpha = 0.12;
    pen.strokeStyle = ink.ink;
    pen.beginPath();
    pen.moveTo(left, at);
    pen.lineTo(right, at);
    pen.stroke();
    pen.globalAlpha = 1;
    pen.fillStyle = ink.soft;
    pen.fillText(number(v, digits, tiny), left - 6, at);
  }
  const most = Math.max(2, Math.floor((right - left) / 90));
  const along = mode === "time" ? timeTicks(span, most)
    : ticks(span[0], span[1], most).map((v) => [v, mode === "epoch" ? number(v) : whole(v)])
      .filter(([v]) => mode !== "step" || Number.isInteger(v));
  pen.textBaseline = "top";
  for (const [v, text] of along) {
    const at = x(v);
    pen.textAlign = at > right - 20 ? "right" : "center";
    pen.fillText(text, at, bottom + 6);
  }
  pen.globalAlpha = 0.4;
  pen.strokeStyle = ink.ink;
  pen.beginPath();
  pen.moveTo(left - 0.5, top);
  pen.lineTo(left - 0.5, bottom);
  pen.stroke();
  pen.globalAlpha = 1;
  pen.textBaseline = "alphabetic";
}
// Ranges that overlap become one, so that many findings do not add up to a dark patch.
function joined(ranges) {
  const out = [];
  for (const [a, b] of ranges.sort((p, q) => p[0] - q[0])) {
    const last = out[out.length - 1];
    if (last && a <= last[1]) last[1] = Math.max(last[1], b); else out.push([a, b]);
  }
  return out;
}
// Phases of a lone run; their names stand above the charts that tell most about them.
function phasesOf(chart, lines) {
  const runs = [...new Set(lines.map((l) => l.r))], run = runs[0];
  const phases = runs.length === 1 && !chart.own && !chart.zero ? source.runs[run].ph || [] : [];
  const apt = chart.role === "learning-rate" || chart === charts[0];
  return { run, phases, labels: apt && phases.length > 0 };
}
function phaseTicks(pen, { phases, labels }, at, left, right, top) {
  pen.fillStyle = ink.soft;
  pen.font = "10px system-ui, sans-serif";
  let free = left;
  for (const [step, label] of phases) {
    const x = Math.round(at(step));
    if (x < left || x > right) continue;
    pen.fillRect(x, top - (labels ? 8 : 0), 1, labels ? 8 : 6);
    const wide = pen.measureText(label).width, behind = x + 4 + wide > right;
    const from = behind ? x - 4 - wide : x + 4;
    if (!labels || from < free) continue;
    pen.textAlign = "left";
    pen.fillText(label, from, top - 2);
    free = Math.max(x, from + wide) + 8;
  }
}
// Behind the curves: ranges of findings, borders of attempts.
function context(pen, chart, lines, mode, x, y, top, bottom) {
  const ends = (mark) => {
    const a = x(place(mark.a, mark.run, mode));
    return [a, Math.max(a + 2, x(place(mark.b, mark.run, mode)))];
  };
  const shade = ([a, b], severity, alpha) => {
    pen.globalAlpha = alpha;
    pen.fillStyle = ink[severity];
    pen.fillRect(a, top, b - a, bottom - top);
    pen.globalAlpha = 1;
  };
  const seen = source.marks.filter((m) => !state.off.has(m.run));
  for (const severity of ["info", "warning", "error"]) {
    const own = seen.filter((m) => m.sev === severity && m.chart === chart.k && m.n !== state.focus);
    for (const range of joined(own.map(ends))) shade(range, severity, 0.08);
  }
  for (const mark of seen)
    if (mark.n === state.focus && (mark.chart === chart.k || !chart.own))
      shade(ends(mark), mark.sev, 0.18);
  if (chart.zero) {
    const level = Math.round(y(0)) + 0.5, { left, right } = chart.scale;
    pen.fillStyle = pen.strokeStyle = ink.ink;
    if (chart.late !== undefined) {
      const at = Math.max(left, x(place(chart.late, lines[0]?.r ?? 0, mode)));
      pen.globalAlpha = 0.05;
      pen.fillRect(at, top, Math.max(0, right - at), bottom - top);
    }
    pen.globalAlpha = 0.6;
    pen.beginPath();
    pen.moveTo(left, level);
    pen.lineTo(right, level);
    pen.stroke();
    pen.globalAlpha = 1;
    return;
  }
  if (chart.own) return;
  const runs = [...new Set(lines.map((l) => l.r))];
  if (runs.length > 4) return;
  pen.strokeStyle = ink.soft;
  pen.setLineDash([1.5, 3]);
  for (const r of runs)
    for (const step of source.runs[r].att || []) {
      const at = Math.round(x(place(step, r, mode))) + 0.5;
      pen.beginPath();
      pen.moveTo(at, top);
      pen.lineTo(at, bottom);
      pen.stroke();
    }
  pen.setLineDash([]);
}
const dashOf = (chart, line) => (chart.trained && line.s !== "train" ? [5, 3]
  : DASHES[source.runs[line.r].d % 4]);
function stroke(pen, chart, line, { span, mode, log, x, y, many }) {
  const xs = xsOf(line, mode), n = xs.length;
  if (!n || Number.isNaN(xs[0])) return;
  const from = Math.max(0, above(xs, span[0]) - 1), to = Math.min(n, above(xs, span[1]) + 1);
  const colour = colourOf(line.r);
  const faint = (hot >= 0 && line.r !== hot ? 0.2 : 1) * (line.faint ? 0.4 : 1);
  // More than a few bands make mud; then only the run under the pointer shows its own.
  const banded = line.low !== line.mean && (many <= 6 || line.r === hot);
  pen.strokeStyle = pen.fillStyle = colour;
  pen.lineJoin = "round";
  if (banded) {
    pen.globalAlpha = 0.15 * faint;
    for (const [a, b] of stretches(line.mean, from, to)) {
      pen.beginPath();
      for (let i = a; i < b; i++) pen.lineTo(x(xs[i]), y(line.high[i]));
      for (let i = b - 1; i >= a; i--) pen.lineTo(x(xs[i]), y(line.low[i]));
      pen.fill();
    }
  }
  const full = chart.own ? fullSpan(chart) : ownSpan(chart);
  const half = ((full[1] - full[0]) * state.smooth) / 100;
  const smooth = half > 0 && n > 50 && chart.smooth ? smoothed(line, xs, half, log) : null;
  const trace = (values) => {
    for (const [a, b] of stretches(values, from, to)) {
      if (b - a === 1) {
        pen.beginPath();
        pen.arc(x(xs[a]), y(values[a]), 2, 0, 7);
        pen.fill();
        continue;
      }
      pen.beginPath();
      for (let i = a; i < b; i++) pen.lineTo(x(xs[i]), y(values[i]));
      pen.stroke();
    }
  };
  pen.lineWidth = 1;
  if (smooth) {
    pen.globalAlpha = 0.25 * faint;
    trace(line.mean);
  }
  pen.globalAlpha = faint;
  pen.lineWidth = line.faint ? 0.8 : line.r === hot ? 2 : 1.3;
  pen.setLineDash(dashOf(chart, line));
  // Single differences are dots around their running mean.
  const dots = line.faint && chart.zero;
  if (!dots) trace(smooth || line.mean);
  pen.setLineDash([]);
  // Few evaluations are points that a line joins, not a curve.
  if (dots || (to - from <= 60 && many <= 16 && !line.faint && !chart.zero))
    for (let i = from; i < to; i++)
      if (!Number.isNaN(line.mean[i])) {
        pen.beginPath();
        pen.arc(x(xs[i]), y(line.mean[i]), dots && to - from > 60 ? 1 : 1.8, 0, 7);
        pen.fill();
      }
  pen.globalAlpha = 1;
}
function stretches(values, from, to) {
  const out = [];
  for (let i = from; i < to; i++) {
    if (Number.isNaN(values[i])) continue;
    const a = i;
    while (i < to && !Number.isNaN(values[i])) i++;
    out.push([a, i]);
  }
  return out;
}
function notFinite(pen, lines, mode, x, left, right, bottom) {
  pen.fillStyle = ink.error;
  for (const line of lines)
    for (const [i] of line.bad || []) {
      const at = x(xsOf(line, mode)[i]);
      if (at < left || at > right) continue;
      pen.beginPath();
      pen.moveTo(at, bottom);
      pen.lineTo(at - 3, bottom + 5);
      pen.lineTo(at + 3, bottom + 5);
      pen.fill();
    }
}
function placeMarks(chart, mode, { x, left, right }) {
  const links = [];
  let taken = -Infinity;
  const own = source.marks.filter((m) => m.chart === chart.k && !state.off.has(m.run));
  for (const mark of own.map((m) => ({ m, at: x(place(m.a, m.run, mode)) }))
    .sort((a, b) => a.at - b.at)) {
    if (mark.at < left - 1 || mark.at > right + 1 || mark.at - taken < 15) continue;
    taken = mark.at;
    const link = make("a", `mark ${mark.m.sev}`, mark.m.n);
    link.href = `#f${mark.m.n}`;
    link.title = `${mark.m.title} · ${source.runs[mark.m.run].n}`;
    link.style.left = `${mark.at}px`;
    links.push(link);
  }
  chart.markBox.replaceChildren(...links);
}

