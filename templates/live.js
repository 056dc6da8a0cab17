
// A page that is served while its runs go on: hears of newer pages and takes over what they tell.
// Nothing of them is run: their data is read as JSON, the rest is compared with what is there.
// --- a newer page in place of this one ---
const THEME = "trainlens-theme";
const scriptOf = (page) => [...page.scripts].filter((s) => !s.type).map((s) => s.textContent).join();
// Charts by what they show; should two show the same, by their order.
function namesOf(some) {
  const seen = new Map();
  return some.map((c) => {
    const told = JSON.stringify([c.name, Boolean(c.own), Boolean(c.zero)]), n = seen.get(told) ?? 0;
    seen.set(told, n + 1);
    return `${told} ${n}`;
  });
}
function figureNames() {
  const names = namesOf(source.charts);
  return new Map(source.charts.map((c, i) => [c.k, names[i]]));
}
function swap(text) {
  // A style sheet would be held against this page's policy as soon as it is read.
  const bare = text.replace(/<style>[^]*?<\/style>/, "");
  const fresh = new DOMParser().parseFromString(bare, "text/html");
  const data = fresh.getElementById("data").textContent;
  // Runs enough for a page of another kind: it needs other scripts, and its address keeps the view.
  if (scriptOf(fresh) !== scriptOf(document)) {
    sessionStorage.setItem(THEME, byId("theme").value);
    location.reload();
    return;
  }
  const known = new Set(all("[data-key]").map((node) => node.dataset.key));
  const held = document.activeElement, stay = anchored(), was = figureNames();
  const again = viewed(), sorted = renewals.map((renewal) => renewal());
  take(data);
  const is = figureNames();
  for (const part of ["header", "main", "footer"])
    morph(document.querySelector(`body > ${part}`), fresh.querySelector(`body > ${part}`), was, is);
  document.title = fresh.title;
  renewJson("data", data);
  renewJson("findings-json", fresh.getElementById("findings-json")?.textContent ?? "{}");
  renewCharts();
  again();
  show();
  for (const head of all("table.sortable th[aria-sort]")) sortRows(head, head.ariaSort === "descending");
  for (const done of sorted) done();
  if (held !== document.activeElement && held?.isConnected) held.focus({ preventScroll: true });
  stay();
  redraw();
  announce(all("[data-key]").filter((node) => !known.has(node.dataset.key)));
}
function renewJson(id, text) {
  const node = byId(id);
  if (node) node.textContent = text;
}
// The charts that stay are the same objects: zoom, axis and what listens to them stay as well.
function renewCharts() {
  const before = namesOf(charts), kept = new Map(charts.map((chart, i) => [before[i], chart]));
  const names = namesOf(source.charts);
  const now = source.charts.map((c, i) => {
    const chart = kept.get(names[i]);
    if (chart?.figure !== byId(c.k)) return charted(c);
    kept.delete(names[i]);
    return filled(chart, c);
  });
  for (const { plot, cursor } of kept.values()) {
    watcher.unobserve(plot);
    sizes.unobserve(plot);
    if (!cursor.hidden) hideCursor();
  }
  const begun = new Set(charts);
  charts.splice(0, charts.length, ...now);
  spans = {};
  for (const chart of now) if (begun.has(chart)) nameFiles(chart); else begin(chart);
}
// Runs and findings have numbers of their own in each page: the view goes by their names.
function viewed() {
  const name = (run) => source.runs[run]?.n;
  const off = new Set([...state.off].map(name)), warm = name(hot);
  const told = (m) => m && [m.title, name(m.run), m.a].join("\n");
  const focus = told(source.marks.find((m) => m.n === state.focus));
  return () => {
    const runs = source.runs.map((_, i) => i), still = runs.filter((i) => off.has(name(i)));
    // Where all others left, an empty page would tell nothing, and one run has no switch.
    state.off = new Set(still.length < runs.length ? still : []);
    hot = warm === undefined ? -1 : runs.findIndex((i) => name(i) === warm);
    state.focus = source.marks.find((m) => told(m) === focus)?.n ?? 0;
    if (off.size && !state.off.size) setOff(state.off);
  };
}
// What is read stays where it is, however much comes above it; at its top the page stays there.
function anchored() {
  const node = scrollY < 8 ? null : all("main h2, main h3, main p, main figure, main tr")
    .find((one) => one.getBoundingClientRect().top >= 0 && one.checkVisibility());
  const before = node?.getBoundingClientRect().top;
  return () => { if (node?.isConnected) scrollBy(0, node.getBoundingClientRect().top - before); };
}
// At once, so that no frame shows a chart that is empty; the cursor follows its step.
function redraw() {
  const cursor = charts.find((chart) => !chart.cursor.hidden && chart.scale);
  refresh(false);
  flush();
  if (cursor) moveCursor(cursor, cursor.at);
}

// --- asking for it ---
const pulse = byId("pulse"), [pulseText, pulseLink] = pulse.children;
const SILENT = 40_000, LOST = "connection lost, trying again";
const MOVED = "the monitor has another address now: open the one that it shows";
const feed = { stream: null, tag: "", renewed: Date.now(), heard: Date.now(), trouble: "", tries: 0,
  asking: false, more: false, pressed: false, waits: null };
async function askPage() {
  if (feed.asking) { feed.more = true; return; }
  feed.asking = true;
  const text = await fetched();
  feed.asking = false;
  if (text) offer(text);
  if (feed.more) { feed.more = false; askPage(); }
}
async function fetched() {
  try {
    const headers = feed.tag ? { "If-None-Match": feed.tag } : {};
    const answer = await fetch("/page", { cache: "no-store", headers });
    if (answer.status === 403) feed.trouble = MOVED;
    if (answer.status !== 200) return "";
    const text = await answer.text();
    feed.tag = answer.headers.get("ETag") || "";
    return text;
  } catch (error) {
    // The network's own; of a broken script the console should hear.
    if (!(error instanceof TypeError)) throw error;
    lose();
    return "";
  }
}
// Nobody's drag ends on other steps than it began.
function offer(text) {
  if (feed.pressed) { feed.waits = text; return; }
  feed.renewed = Date.now();
  swap(text);
  tell();
}
function pressing(down) {
  feed.pressed = down;
  if (down || !feed.waits) return;
  const text = feed.waits;
  feed.waits = null;
  setTimeout(() => offer(text));
}

// --- hearing of it ---
function alive() {
  feed.heard = Date.now();
  feed.tries = 0;
  feed.trouble = "";
  tell();
}
function lose() {
  feed.trouble ||= LOST;
  tell();
}
function hear() {
  const stream = feed.stream = new EventSource("/events");
  stream.addEventListener("open", alive);
  stream.addEventListener("beat", alive);
  stream.addEventListener("message", () => { alive(); askPage(); });
  stream.addEventListener("error", () => {
    if (stream !== feed.stream) return;
    lose();
    // An answer that is no stream: the browser asks no more, and its status is told to others only.
    if (stream.readyState === EventSource.CLOSED) { askPage(); rehear(); }
  });
}
function rehear() {
  feed.stream.close();
  feed.stream = null;
  setTimeout(hear, Math.min(30_000, 2000 * 2 ** feed.tries++));
}
function tell() {
  const past = Math.max(0, Math.round((Date.now() - feed.renewed) / 1000));
  pulse.classList.toggle("lost", Boolean(feed.trouble));
  pulseText.textContent = feed.trouble || `live · updated ${past < 2 ? "now" : `${duration(past)} ago`}`;
}
function announce(found) {
  if (pulseLink.hash && !document.querySelector(pulseLink.hash)) pulseLink.hidden = true;
  if (!found.length) return;
  const title = found[0].querySelector(".title").textContent;
  pulseLink.textContent = found.length > 1 ? `${found.length} new findings` : `new: ${title}`;
  pulseLink.href = `#${found[0].id}`;
  pulseLink.hidden = false;
  live.textContent = pulseLink.textContent;
}

// The cookie lets this page in from now on: who is shown the address is not.
if (location.search) history.replaceState(null, "", location.pathname + location.hash);
const theme = sessionStorage.getItem(THEME);
if (theme) {
  sessionStorage.removeItem(THEME);
  byId("theme").value = theme;
  byId("theme").dispatchEvent(new Event("change"));
}
pulseLink.addEventListener("click", () => { pulseLink.hidden = true; });
for (const [kind, down] of [["pointerdown", true], ["pointerup", false], ["pointercancel", false]])
  addEventListener(kind, () => pressing(down), true);
setInterval(() => {
  if (feed.stream && Date.now() - feed.heard > SILENT) { feed.heard = Date.now(); lose(); rehear(); }
  tell();
}, 1000);
hear();
