// Redraws what is on the screen; cursor, tooltip, zoom, keyboard.
// --- when to draw: what is on the screen, once a frame ---
let waiting = false;
function refresh(soon = true) {
  for (const chart of charts) chart.dirty = true;
  if (soon && !waiting) {
    waiting = true;
    requestAnimationFrame(flush);
  }
}
function flush() {
  waiting = false;
  for (const chart of charts) if (chart.seen && chart.dirty) draw(chart);
}
// What is near the screen must not hold up what is on it.
function drawNear(near = charts.filter((c) => c.seen && c.dirty)) {
  if (!near.length) return;
  const [chart, ...rest] = near;
  requestAnimationFrame(() => { if (chart.dirty) draw(chart); drawNear(rest); });
}
const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    const chart = charts.find((c) => c.plot === entry.target);
    if (!chart) continue;
    const { top, bottom } = entry.boundingClientRect;
    chart.seen = entry.isIntersecting;
    if (chart.seen && chart.dirty && bottom > 0 && top < innerHeight) draw(chart);
  }
  drawNear();
}, { rootMargin: "200px" });
const sizes = new ResizeObserver((entries) => {
  for (const entry of entries) {
    const chart = charts.find((c) => c.plot === entry.target);
    if (!chart) continue;
    const { plot, size } = chart;
    // The first call tells the size that is there, not a new one.
    if (!size || (size.width === plot.clientWidth && size.height === plot.clientHeight)) continue;
    chart.dirty = true;
    if (!waiting) { waiting = true; requestAnimationFrame(flush); }
  }
});

// --- reading values ---
const tip = byId("tip"), live = byId("live");
function nearest(line, at, mode, reach) {
  const xs = xsOf(line, mode), i = above(xs, at);
  const best = [i - 1, i].filter((k) => k >= 0 && k < xs.length)
    .sort((a, b) => Math.abs(xs[a] - at) - Math.abs(xs[b] - at))[0];
  if (best === undefined) return -1;
  const inside = at >= place(line.grid.first[best], line.r, mode) &&
    at <= place(line.grid.last[best], line.r, mode);
  return inside || Math.abs(xs[best] - at) <= reach ? best : -1;
}
function read(chart, at) {
  const span = spanOf(chart), mode = modeOf(chart), reach = (span[1] - span[0]) / 40;
  const rows = [];
  for (const line of shown(chart)) {
    const i = nearest(line, at, mode, reach);
    if (i >= 0) rows.push({ line, i, value: line.mean[i], low: line.low[i], high: line.high[i] });
  }
  const size = (row) => (Number.isNaN(row.value) ? -Infinity : row.value);
  return rows.sort((a, b) => size(b) - size(a));
}
function showTip(chart, at, point) {
  const rows = read(chart, at);
  tip.replaceChildren();
  if (!rows.length) { tip.hidden = true; return; }
  const { first, last } = rows[0].line.grid, i = rows[0].i, mode = modeOf(chart);
  const many = last[i] > first[i];
  const head = mode !== "step" ? `${told(at, mode)} · ` : "";
  tip.append(make("div", "when", head + (many
    ? `steps ${whole(first[i])}–${whole(last[i])}, mean (min–max)`
    : `step ${whole(first[i])}${chart.zero ? ", difference (95 % interval)" : ""}`)));
  const most = 16;
  for (const row of rows.slice(0, most)) {
    const item = make("div", `row${row.line.r === hot ? " hot" : ""}`), run = source.runs[row.line.r];
    const key = make("i", run.c === null ? "key rg" : `key r${run.c}`);
    const split = new Set(chart.lines.map((l) => l.s)).size > 1 ? row.line.s : "";
    item.append(key, make("span", "who",
      source.runs.length > 1 ? [run.n, split].filter(Boolean).join(" · ") : split || run.n));
    item.append(make("b", "", number(row.value)));
    item.append(make("span", "ends", row.high > row.low
      ? `${number(row.low, 3)}–${number(row.high, 3)}` : ""));
    tip.append(item);
  }
  if (rows.length > most) tip.append(make("div", "when", `and ${rows.length - most} more`));
  tip.hidden = false;
  const wide = tip.offsetWidth, tall = tip.offsetHeight;
  const x = point.x + 14 + wide > innerWidth ? point.x - 14 - wide : point.x + 14;
  tip.style.left = `${Math.max(4, x)}px`;
  tip.style.top = `${Math.max(4, Math.min(point.y + 12, innerHeight - tall - 4))}px`;
}
function moveCursor(chart, at) {
  chart.at = at;
  for (const other of charts) {
    if (!other.scale || !other.seen || (other !== chart && (other.own || chart.own))) {
      // Said again, it would style every chart of the page anew at each movement.
      if (!other.cursor.hidden) other.cursor.hidden = true;
      continue;
    }
    const x = other.scale.x(at);
    other.cursor.hidden = x < other.scale.left - 1 || x > other.scale.right + 1;
    other.cursor.style.transform = `translateX(${x}px)`;
    other.at = at;
  }
}
function hideCursor() {
  tip.hidden = true;
  for (const chart of charts) chart.cursor.hidden = true;
}
function snapped(chart, at) {
  const lines = shown(chart), mode = modeOf(chart), span = spanOf(chart);
  let best = at, gap = Infinity;
  for (const line of lines.slice(0, 24)) {
    const xs = xsOf(line, mode), i = nearest(line, at, mode, span[1] - span[0]);
    if (i >= 0 && Math.abs(xs[i] - at) < gap) { gap = Math.abs(xs[i] - at); best = xs[i]; }
  }
  return best;
}

// --- zoom ---
function zoomTo(chart, span) {
  const full = fullSpan(chart);
  const fit = span && [Math.max(full[0], span[0]), Math.min(full[1], span[1])];
  const zoom = fit && fit[1] > fit[0] && fit[1] - fit[0] < (full[1] - full[0]) * 0.999 ? fit : null;
  if (chart.own) chart.ownZoom = zoom; else state.zoom = zoom;
  if (!zoom && !chart.own) state.focus = 0;
  byId("reset").disabled = !state.zoom;
  hideCursor();
  writeState();
  refresh();
}
function listen(chart) {
  const { plot } = chart;
  let from = null;
  const inside = (event) => event.clientX - plot.getBoundingClientRect().left;
  plot.addEventListener("pointermove", (event) => {
    if (!chart.scale) return;
    const px = inside(event);
    if (from !== null && Math.abs(px - from) > 4) {
      chart.brush.hidden = false;
      chart.brush.style.left = `${Math.min(px, from)}px`;
      chart.brush.style.width = `${Math.abs(px - from)}px`;
    }
    const at = snapped(chart, chart.scale.back(px));
    moveCursor(chart, at);
    showTip(chart, at, { x: event.clientX, y: event.clientY });
  });
  plot.addEventListener("pointerleave", () => { if (from === null) hideCursor(); });
  plot.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || event.target.closest("a")) return;
    from = inside(event);
    plot.setPointerCapture(event.pointerId);
  });
  plot.addEventListener("pointercancel", () => { from = null; chart.brush.hidden = true; });
  plot.addEventListener("pointerup", (event) => {
    if (from === null) return;
    const a = Math.min(from, inside(event)), b = Math.max(from, inside(event));
    from = null;
    chart.brush.hidden = true;
    if (b - a > 6 && chart.scale) zoomTo(chart, [chart.scale.back(a), chart.scale.back(b)]);
  });
  plot.addEventListener("dblclick", () => zoomTo(chart, null));
  plot.addEventListener("keydown", (event) => key(chart, event));
  plot.addEventListener("blur", () => { chart.from = null; hideCursor(); });
}
function key(chart, event) {
  if (!chart.scale) draw(chart);
  const span = spanOf(chart), lines = shown(chart);
  const at = chart.at ?? (span[0] + span[1]) / 2;
  const near = (factor) => [at - (at - span[0]) * factor, at + (span[1] - at) * factor];
  if (event.key === "Escape") {
    const { from } = chart;
    zoomTo(chart, null);
    from?.focus();
  }
  else if (event.key === "+" || event.key === "=") zoomTo(chart, near(0.5));
  else if (event.key === "-") zoomTo(chart, near(2));
  else if (["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key) && lines.length) {
    const xs = xsOf(lines.reduce((a, b) => (b.mean.length > a.mean.length ? b : a)), modeOf(chart));
    const first = Math.max(0, above(xs, span[0]) - 1), last = Math.min(xs.length, above(xs, span[1])) - 1;
    const jump = (event.key === "ArrowLeft" ? -1 : 1) * (event.shiftKey ? 10 : 1);
    const now = Math.max(0, above(xs, at) - 1);
    const next = event.key === "Home" ? first : event.key === "End" ? last : now + jump;
    const target = xs[Math.min(Math.max(next, first), last)];
    moveCursor(chart, target);
    const box = chart.plot.getBoundingClientRect();
    showTip(chart, target, { x: box.left + chart.scale.x(target), y: box.top + 20 });
    live.textContent = [...tip.children].slice(0, 5).map((row) => row.textContent).join("; ");
  } else return;
  event.preventDefault();
}

