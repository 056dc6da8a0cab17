
// Settings against the result: brushes along the axes choose runs, and the table follows.
const MISSING = 65535;
let sweep, parallel, traces, places, chosen, handles, hotTrace;
const share = (axis, run) => (places[axis][run] === MISSING ? NaN : places[axis][run] / (MISSING - 1));

// --- what is chosen ---
function inside(run) {
  return chosen.every((span, k) => {
    if (!span) return true;
    const at = share(k, run);
    return at >= span[0] - 1e-4 && at <= span[1] + 1e-4;
  });
}
let choosing = false;
function choose() {
  if (choosing) return;
  choosing = true;
  requestAnimationFrame(() => { choosing = false; followBrush(); });
}
function followBrush(at = 0) {
  const any = chosen.some(Boolean), kept = sweep.rows.map((_, run) => inside(run));
  traces.forEach((path, i) => path.classList.toggle("off", !kept[sweep.lines[i]]));
  const count = kept.filter(Boolean).length;
  byId("sweep-told").textContent = any ? `${whole(count)} of ${whole(kept.length)} runs` : "";
  byId("sweep-clear").disabled = !any;
  handles.forEach((handle, k) => showSpan(handle, k));
  followed(any ? sweep.rows.filter((_, run) => kept[run]) : null, at);
}
function followed(rows, at) {
  if (source.table) {
    const only = rows && new Uint8Array(source.table.columns[0].v.length);
    for (const row of rows || []) only[row] = 1;
    keepRows(only, at);
    return;
  }
  const kept = rows && new Set(rows);
  for (const tr of all("tr[data-row]")) tr.hidden = Boolean(kept) && !kept.has(Number(tr.dataset.row));
}
function clearBrushes() {
  chosen.fill(null);
  choose();
}

// --- the axes ---
function saidOf(k) {
  const span = chosen[k];
  if (!span) return "all";
  const held = sweep.lines.map((run, i) => [share(k, run), sweep.axes[k].v[i]])
    .filter(([at]) => at >= span[0] && at <= span[1]).sort((a, b) => a[0] - b[0]);
  if (!held.length) return "none";
  const [first, last] = [held[0][1], held[held.length - 1][1]];
  return first === last ? first : `${first} to ${last}`;
}
function showSpan(handle, k) {
  const span = chosen[k], bar = handle.firstElementChild;
  bar.hidden = !span;
  handle.setAttribute("aria-valuenow", span ? Math.round(50 * (span[0] + span[1])) : 50);
  handle.setAttribute("aria-valuetext", saidOf(k));
  if (!span) return;
  bar.style.bottom = `${100 * span[0]}%`;
  bar.style.height = `${Math.max(0.5, 100 * (span[1] - span[0]))}%`;
}
function press(k, event) {
  const span = chosen[k], up = event.key === "ArrowUp" || event.key === "End";
  if (event.key === "Escape") { clearBrushes(); return true; }
  if (event.key === "Delete" || event.key === "Backspace") chosen[k] = null;
  else if (!["ArrowUp", "ArrowDown", "Home", "End"].includes(event.key)) return false;
  else if (!span) chosen[k] = up ? [0.8, 1] : [0, 0.2];
  else if (event.shiftKey) chosen[k] = [span[0],
    Math.min(1, Math.max(span[0] + 0.02, span[1] + (up ? 0.05 : -0.05)))];
  else {
    const wide = span[1] - span[0], by = { ArrowUp: 0.05, ArrowDown: -0.05, Home: -1, End: 1 }[event.key];
    const low = Math.min(1 - wide, Math.max(0, span[0] + by));
    chosen[k] = [low, low + wide];
  }
  choose();
  return true;
}
function listenAxis(handle, k) {
  let from = null, grip = null, moved = false;
  const at = (event) => {
    const box = handle.getBoundingClientRect();
    return Math.min(1, Math.max(0, (box.bottom - event.clientY) / box.height));
  };
  handle.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    from = at(event);
    moved = false;
    const span = chosen[k];
    grip = span && from > span[0] && from < span[1] ? span : null;
    handle.setPointerCapture(event.pointerId);
  });
  handle.addEventListener("pointermove", (event) => {
    if (from === null) return;
    const to = at(event);
    moved ||= Math.abs(to - from) > 0.01;
    if (!moved) return;
    if (grip) {
      const by = Math.min(1 - grip[1], Math.max(-grip[0], to - from));
      chosen[k] = [grip[0] + by, grip[1] + by];
    } else chosen[k] = [Math.min(from, to), Math.max(from, to)];
    choose();
  });
  const end = () => {
    if (from !== null && !moved && chosen[k]) { chosen[k] = null; choose(); }
    from = null;
  };
  handle.addEventListener("pointerup", end);
  handle.addEventListener("pointercancel", () => { from = null; });
  handle.addEventListener("dblclick", clearBrushes);
  handle.addEventListener("keydown", (event) => { if (press(k, event)) event.preventDefault(); });
}
function handleOf(axis, k) {
  const handle = make("div", "axis"), [top, bottom] = sweep.box;
  handle.append(make("div", "chosen"));
  handle.style.left = `${(100 * axis.x) / sweep.size[0]}%`;
  handle.style.top = `${100 * top}%`;
  handle.style.height = `${100 * (bottom - top)}%`;
  handle.tabIndex = 0;
  const told = { role: "slider", "aria-orientation": "vertical", "aria-valuemin": 0,
    "aria-valuemax": 100, "aria-label": axis.says ? `${axis.n}: ${axis.says}` : axis.n };
  for (const [name, value] of Object.entries(told)) handle.setAttribute(name, value);
  showSpan(handle, k);
  listenAxis(handle, k);
  return handle;
}

// --- which line is under the pointer ---
function heightOf(run, k) {
  const [top, bottom] = sweep.box.map((v) => v * sweep.size[1]);
  return bottom - share(k, run) * (bottom - top);
}
function traceAt(x, y) {
  const k = Math.min(Math.max(sweep.axes.findIndex((a) => a.x > x) - 1, 0), sweep.axes.length - 2);
  const a = sweep.axes[k].x, part = (x - a) / (sweep.axes[k + 1].x - a);
  let best = -1, gap = 16;
  if (part < -0.05 || part > 1.05) return best;
  sweep.lines.forEach((run, i) => {
    const off = traces[i].classList.contains("off");
    const far = Math.abs(heightOf(run, k) * (1 - part) + heightOf(run, k + 1) * part - y);
    if (!off && far <= gap) { gap = far; best = i; }
  });
  return best;
}
function hover(event) {
  const box = parallel.getBoundingClientRect(), scale = sweep.size[0] / box.width;
  const i = traceAt((event.clientX - box.left) * scale, (event.clientY - box.top) * scale);
  hotTrace.setAttribute("d", i < 0 ? "" : traces[i].getAttribute("d"));
  tip.hidden = i < 0;
  if (i < 0) return;
  const rows = sweep.axes.filter((axis) => axis.v[i]).map((axis) =>
    make("div", "when", `${axis.n}: ${axis.v[i]}`));
  const name = make("div", "when");
  name.append(make("b", "", sweep.names[i]));
  tip.replaceChildren(name, ...rows.reverse());
  const wide = tip.offsetWidth, tall = tip.offsetHeight;
  const x = event.clientX + 14 + wide > innerWidth ? event.clientX - 14 - wide : event.clientX + 14;
  tip.style.left = `${Math.max(4, x)}px`;
  tip.style.top = `${Math.max(4, Math.min(event.clientY + 12, innerHeight - tall - 4))}px`;
}
// --- the data, and what the scripts add to the picture ---
function takeSweep(spans = new Map()) {
  sweep = source.sweep;
  parallel = document.querySelector("svg.parallel");
  traces = all("g path", parallel);
  places = sweep.axes.map((a) => new Uint16Array(bytes(a.p)));
  chosen = sweep.axes.map((axis) => spans.get(axis.n) ?? null);
  hotTrace = drawing("path", { class: "hot", fill: "none" });
  parallel.append(hotTrace);
  for (const handle of handles ?? []) handle.remove();
  handles = sweep.axes.map(handleOf);
  parallel.after(...handles);
}
takeSweep();
renewals.push(() => {
  const spans = new Map(sweep.axes.map((axis, k) => [axis.n, chosen[k]]));
  const at = handles.indexOf(document.activeElement);
  return () => {
    takeSweep(spans);
    if (chosen.some(Boolean)) followBrush(source.table ? view.at : 0);
    if (at >= 0) handles[at]?.focus({ preventScroll: true });
  };
});
const stage = parallel.parentElement;
stage.addEventListener("pointermove", hover);
stage.addEventListener("pointerleave", () => { tip.hidden = true; hotTrace.setAttribute("d", ""); });
stage.addEventListener("dblclick", (event) => { if (parallel.contains(event.target)) clearBrushes(); });
byId("sweep-clear").addEventListener("click", clearBrushes);
byId("sweep").addEventListener("keydown", (event) => { if (event.key === "Escape") clearBrushes(); });
