// Everything around the charts: runs, evidence, controls, tables.
// One ear for all of a kind, also for those that a live page brings later; it hears what others
// might keep to themselves.
function on(kind, query, act) {
  document.addEventListener(kind, (event) => {
    const node = event.target.closest?.(query);
    if (node) act(node, event);
  }, true);
}
const chartAt = (node) => charts.find((chart) => chart.figure.contains(node));

// --- runs ---
function setOff(off) {
  state.off = off;
  for (const box of all("[data-run-box]")) box.checked = !off.has(Number(box.dataset.runBox));
  for (const chip of all("[data-run-chip]"))
    chip.setAttribute("aria-pressed", String(!off.has(Number(chip.dataset.runChip))));
  writeState();
  refresh();
}
function toggle(run) {
  const off = new Set(state.off);
  if (!off.delete(run)) off.add(run);
  setOff(off);
}
// Runs, and the sides that they make in a comparison, hide and show among themselves.
const kin = (run) => source.runs.map((_, i) => i).filter((i) => source.runs[i].side === source.runs[run].side);
function isolate(run) {
  const own = kin(run), others = own.filter((i) => i !== run);
  const alone = !state.off.has(run) && others.every((i) => state.off.has(i));
  setOff(new Set([...[...state.off].filter((i) => !own.includes(i)), ...(alone ? [] : others)]));
}
function heat(run) {
  if (hot === run) return;
  hot = run;
  refresh();
}
function listenRuns() {
  on("change", "[data-run-box]", (box) => toggle(Number(box.dataset.runBox)));
  const run = (node) => Number(node.dataset.runChip ?? node.dataset.run);
  on("click", "[data-run-chip]", (chip, event) => (event.shiftKey ? isolate : toggle)(run(chip)));
  on("dblclick", "[data-run-chip]", (chip) => isolate(run(chip)));
  const named = "[data-run-chip], tr[data-run]";
  on("pointerover", named, (node) => heat(run(node)));
  on("pointerout", named, (node, event) => { if (!node.contains(event.relatedTarget)) heat(-1); });
  on("click", "#runs-all", () => setOff(new Set()));
  on("click", "#runs-flagged", () =>
    setOff(new Set(source.runs.map((_, i) => i).filter((i) => !source.runs[i].f && !source.runs[i].side))));
}

// --- evidence ---
function showEvidence(n) {
  const mark = source.marks.find((m) => m.n === n);
  if (!mark) return;
  state.mode = "step";
  state.focus = n;
  byId("x-axis").value = "step";
  const chart = charts.find((c) => c.k === mark.chart) || charts[0];
  if (!chart) return;
  const full = ownSpan(chart);
  const pad = Math.max((mark.b - mark.a) * 0.75, (full[1] - full[0]) * 0.02);
  reveal(chart.figure);
  if (state.off.has(mark.run)) toggle(mark.run);
  zoomTo(chart, [mark.a - pad, mark.b + pad]);
  chart.figure.scrollIntoView({ block: "center" });
  const from = document.activeElement;
  chart.plot.focus({ preventScroll: true });
  // Escape leads back to the finding.
  if (from?.matches("[data-evidence]")) chart.from = from;
}
function reveal(node) {
  for (let up = node; up; up = up.parentElement) if (up.tagName === "DETAILS") up.open = true;
}
function followAnchor() {
  const target = /^#f\d+$/.test(location.hash) && byId(location.hash.slice(1));
  if (!target) return;
  reveal(target);
  target.scrollIntoView({ block: "center" });
}

// --- controls ---
function showView() {
  const axis = byId("x-axis");
  for (const [mode, field] of Object.entries(CLOCK))
    if (!source.runs.some((r) => r[field])) axis.querySelector(`[value=${mode}]`)?.remove();
  if (![...axis.options].some((o) => o.value === state.mode)) state.mode = "step";
  axis.value = state.mode;
  byId("smooth").value = state.smooth;
  byId("smooth-value").textContent = state.smooth ? `${number(state.smooth)} %` : "off";
  byId("y-axis").value = state.log;
  byId("reset").disabled = !state.zoom;
}
function listenView() {
  on("change", "#x-axis", (axis) => {
    state.mode = axis.value;
    zoomTo({ own: false }, null);
  });
  on("input", "#smooth", (smooth) => {
    state.smooth = Number(smooth.value);
    showView();
    writeState();
    refresh();
  });
  on("change", "#y-axis", (scale) => { state.log = scale.value; writeState(); refresh(); });
  on("click", "#reset", () => zoomTo({ own: false }, null));
}
function listenControls() {
  const theme = byId("theme");
  theme.addEventListener("change", () => {
    if (theme.value === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme.value;
    readColours();
    refresh();
  });
  on("click", "[data-evidence]", (button) => showEvidence(Number(button.dataset.evidence)));
  on("click", ".chart [data-do=log]", (button) => {
    const chart = chartAt(button);
    chart.logAxis = !isLog(chart);
    byId("y-axis").value = state.log = "auto";
    refresh();
  });
  on("click", "table.sortable th button", (button) => {
    const head = button.closest("th");
    sortRows(head, head.getAttribute("aria-sort") === "ascending");
  });
  listenFiles();
}
function sortRows(head, down) {
  const table = head.closest("table"), column = [...head.parentElement.children].indexOf(head);
  for (const other of all("th", table)) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const value = (row) => row.children[column].dataset.v ?? row.children[column].textContent.trim();
  const compare = (a, b) => {
    const [p, q] = [value(a), value(b)], missing = (p === "") - (q === "");
    if (missing) return missing;
    const order = p !== "" && !Number.isNaN(Number(p)) && !Number.isNaN(Number(q))
      ? Number(p) - Number(q) : p.localeCompare(q);
    return down ? -order : order;
  };
  table.tBodies[0].append(...[...table.tBodies[0].rows].sort(compare));
}

// What scrolls sideways must scroll by keys as well; where all of it is seen it is no stop.
const scrollers = new ResizeObserver((entries) => {
  for (const { target: box } of entries) {
    const title = box.closest("section")?.querySelector("h2")?.textContent || "table";
    const scrolls = box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight;
    const traits = { tabindex: "0", role: "group", "aria-label": title.trim() };
    for (const [name, value] of Object.entries(traits))
      if (scrolls) box.setAttribute(name, value); else box.removeAttribute(name);
  }
});

function begin(chart) {
  listen(chart);
  nameFiles(chart);
  watcher.observe(chart.plot);
  sizes.observe(chart.plot);
}
// What of the page shows its state: again where a live page brought more of it.
function show() {
  for (const node of all("[data-script]")) node.hidden = false;
  if (charts.length) showView();
  if (state.off.size) setOff(state.off);
  all(".scroll").forEach((box) => scrollers.observe(box));
}

readState();
readColours();
listenControls();
listenView();
listenRuns();
show();
charts.forEach(begin);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readColours(); refresh(); });
addEventListener("hashchange", followAnchor);
let folded = [];
addEventListener("beforeprint", () => {
  folded = all("details:not([open])");
  for (const node of folded) node.open = true;
});
addEventListener("afterprint", () => { for (const node of folded) node.open = false; });
document.documentElement.dataset.ready = "yes";
