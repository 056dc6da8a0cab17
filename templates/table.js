
// The table of many runs: columns of values come with the page, a hundred rows are shown at once.
// --- values ---
const PAGE = 100, view = { order: [], shown: [], at: 0, only: null };
let table, spots, running, haystacks;
function takeTable() {
  table = source.table;
  view.order = table.columns[0].v.map((_, row) => row);
  view.only = null;
  spots = new Map(table.drawn.map((row, spot) => [row, spot]));
  running = new Set(table.running);
  haystacks = [];
}
takeTable();
const valueOf = (column, row) => (column.i ? column.v[column.i[row]] : column.v[row]);
// Minima and maxima come as distances from the mean: the upper halves of float32.
function spread(line) {
  const half = new Uint16Array(bytes(line.w)), n = line.mean.length;
  const apart = new Float32Array(Uint32Array.from(half, (v) => v << 16).buffer);
  line.low = line.mean.map((v, i) => v - apart[i]);
  line.high = line.mean.map((v, i) => v + apart[n + i]);
  line.w = null;
}
function shorter(text, length) {
  const letters = [...text], half = (length - 1) >> 1;
  return letters.length <= length ? text
    : `${letters.slice(0, half).join("")}…${letters.slice(-half).join("")}`;
}
const lasted = (s) => (Math.round(s) < 10 ? `${number(s, 2)} s` : duration(Math.round(s)));
function ago(age, row) {
  if (age > 60 * 86400) return `on ${new Date((table.now - age) * 1000).toISOString().slice(0, 10)}`;
  const unit = [3600, 60, 1].find((u) => age >= u);
  const told = lasted(unit ? Math.floor(age / unit) * unit : age);
  return `${told} ago${running.has(row) ? ", may be running" : ""}`;
}

// --- cells ---
const LOOKS = { failing: ["error", "error-word"], warning: ["warning", "warning-word"],
  inconclusive: ["inconclusive", "soft"], healthy: ["healthy", ""] };
function verdict(word) {
  const [icon, cls] = LOOKS[word], told = make("span", cls);
  told.append(drawing("svg", { class: "icon", width: 13, height: 13, "aria-hidden": "true" },
    drawing("use", { href: `#i-${icon}` })), word);
  return told;
}
const LEVELS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
function course(letters, row) {
  const wide = 188 / Math.max(letters.length - 1, 1);
  const points = [...letters].flatMap((letter, i) => (letter === "." ? []
    : `${Math.round(2 + i * wide)} ${Math.round(38 - (LEVELS.indexOf(letter) * 34) / 63)}`));
  if (points.length < 2) return "";
  const run = source.runs[spots.get(row)];
  return drawing("svg", { class: "spark", width: 96, height: 20, viewBox: "0 0 192 40",
    "aria-hidden": "true" }, drawing("path", { class: run && run.c !== null ? `r${run.c}` : "rg",
    d: `M${points.join(" ")}`, fill: "none", stroke: "currentColor", "stroke-width": 2.4 }));
}
function pathOf(row) {
  const middle = table.paths.m[row];
  return middle === 0 ? ""
    : table.paths.a + (middle === null ? table.columns[0].v[row] : middle) + table.paths.b;
}
// As a shell reads it; a leading hyphen would be an option.
function quoted(path) {
  const plain = path.startsWith("-") ? `./${path}` : path;
  return /^[\w@%+=:,./-]+$/.test(plain) ? plain : `'${plain.replace(/'/g, "'\\''")}'`;
}
function how(path) {
  const button = make("button", "how", "how"), told = make("code", "", `trainlens report ${quoted(path)}`);
  button.title = "the command that makes a report of this run, copied";
  button.setAttribute("aria-expanded", "false");
  button.addEventListener("click", () => {
    const open = !told.isConnected;
    if (open) button.after(told); else told.remove();
    button.setAttribute("aria-expanded", String(open));
    if (!open) return;
    live.textContent = told.textContent;
    navigator.clipboard?.writeText(told.textContent).then(
      () => { live.textContent = `Copied: ${told.textContent}`; }, () => {});
  });
  return button;
}
function named(name, row) {
  const out = [], spot = spots.get(row), run = source.runs[spot];
  out.push(make("i", !run ? "key none" : `key ${run.c === null ? "rg" : `r${run.c}`}` +
    (run.d % 4 ? ` d${run.d % 4}` : "")));
  const link = make(table.pages[row] ? "a" : "span", "cut", shorter(name, 44));
  link.title = name;
  out.push(link);
  if (table.pages[row]) link.href = table.pages[row];
  else if (pathOf(row)) out.push(how(pathOf(row)));
  return out;
}
const RIGHT = new Set(["count", "step", "value", "time", "age"]);
const CELLS = {
  name: named,
  verdict: (word) => [verdict(word)],
  count: (n) => [n ? whole(n) : "–"],
  step: (n) => [whole(n)],
  value: (v) => [number(v)],
  word: (text) => [shorter(text, 24) || "–"],
  course: (letters, row) => [course(letters, row)],
  time: (s) => [lasted(s)],
  age: ago,
};
function cellOf(column, row) {
  const value = valueOf(column, row), td = make("td", RIGHT.has(column.t) ? "r" : "");
  if (column.t === "name") td.className = "name";
  td.append(...(value === null ? [column.t === "age" ? "unknown" : "–"]
    : [CELLS[column.t](value, row)].flat()));
  return td;
}

// --- which rows ---
function haystack(row) {
  if (haystacks[row]) return haystacks[row];
  const settings = [...table.columns.map((c, k) => ({ ...c, h: table.heads[k] })), ...table.hidden]
    .filter((c) => c.t === "word" || !c.t).map((c) => `${c.h}=${valueOf(c, row)}`);
  return (haystacks[row] = [table.columns[0].v[row], ...settings].join(" ").toLowerCase());
}
const filter = byId("table-filter"), status = byId("table-status");
function filtered() {
  const wanted = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  return view.order.filter((row) => (!view.only || view.only[row]) &&
    (!status.value || valueOf(table.columns[1], row) === status.value) &&
    wanted.every((word) => haystack(row).includes(word)));
}
const heads = () => all("thead th", byId("table"));
function sortKeys(column) {
  const raw = view.order.map((_, row) => valueOf(column, row));
  const known = raw.filter((v) => v !== null && v !== "");
  const numbers = known.every((v) => Number.isFinite(Number(v)));
  return raw.map((v) => (v === null || v === "" ? null : numbers ? Number(v) : v));
}
// A course by how far it fell or rose within its own range.
function climb(letters) {
  const known = letters.replaceAll(".", "");
  return known ? LEVELS.indexOf(known[known.length - 1]) - LEVELS.indexOf(known[0]) : null;
}
function rank(column) {
  if (column.t === "course") return column.v.map(climb);
  if (column.t === "verdict") return view.order.map((_, row) =>
    Object.keys(LOOKS).indexOf(valueOf(column, row)));
  return sortKeys(column);
}
function sortBy(k, down) {
  const head = heads()[k], keys = rank(table.columns[k]);
  for (const other of head.parentElement.children) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const { compare } = new Intl.Collator(undefined, { numeric: true }), sign = down ? -1 : 1;
  view.order = view.order.map((_, row) => row).sort((a, b) => {
    const [p, q] = [keys[a], keys[b]];
    if (p === null || q === null) return (p === null) - (q === null) || a - b;
    return sign * (typeof p === "number" ? p - q : compare(p, q)) || a - b;
  });
}
function showRows(at = 0) {
  view.shown = filtered();
  view.at = Math.max(0, Math.min(at, Math.floor((view.shown.length - 1) / PAGE) * PAGE));
  const rows = view.shown.slice(view.at, view.at + PAGE);
  byId("table").tBodies[0].replaceChildren(...rows.map((row) => {
    const tr = make("tr");
    tr.dataset.row = row;
    tr.append(...table.columns.map((column) => cellOf(column, row)));
    return tr;
  }));
  const all = view.order.length, some = view.shown.length;
  byId("table-told").textContent = (some < all ? `${whole(some)} of ${whole(all)} runs` : `${whole(all)} runs`) +
    (some > PAGE ? `, ${whole(view.at + 1)}–${whole(view.at + rows.length)}` : "");
  turnable();
}
function turnable() {
  const before = byId("table-before"), after = byId("table-after"), held = document.activeElement;
  before.disabled = view.at === 0;
  after.disabled = view.at + PAGE >= view.shown.length;
  if (held === before && before.disabled) after.focus();
  if (held === after && after.disabled) before.focus();
}
// Rows that a brush chose, one byte a row; null for all.
function keepRows(only, at) {
  view.only = only;
  turn(at);
}

// --- the view of the table in the address: filter, status, order, page ---
function turn(at = 0) {
  showRows(at);
  writeState();
}
keepers.push(() => {
  const sorted = heads().findIndex((head) => head.ariaSort), parts = [];
  const keep = (name, value) => parts.push(`${name}=${encodeURIComponent(value)}`);
  if (filter.value) keep("q", filter.value);
  if (status.value) keep("v", status.value);
  if (sorted >= 0) keep(heads()[sorted].ariaSort === "descending" ? "down" : "up", table.heads[sorted]);
  if (view.at) keep("page", view.at / PAGE + 1);
  return parts;
});
function restore() {
  filter.value = asked.get("q") || "";
  if ([...status.options].some((o) => o.value === asked.get("v"))) status.value = asked.get("v");
  for (const way of ["up", "down"]) {
    const k = table.heads.indexOf(asked.get(way));
    if (k >= 0) sortBy(k, way === "down");
  }
  const at = (Math.floor(Number(asked.get("page")) || 1) - 1) * PAGE;
  if (asked.size) turn(at); else showRows(at);
}

// --- controls ---
function listenTable() {
  on("click", "#table thead button", (button) => {
    const head = button.closest("th");
    sortBy(heads().indexOf(head), head.ariaSort === "ascending");
    turn();
  });
  if (table.unseen) filter.title = `without ${whole(table.unseen)} settings that would not fit this page`;
  filter.addEventListener("input", () => turn());
  status.addEventListener("change", () => turn());
  byId("table-before").addEventListener("click", () => turn(view.at - PAGE));
  byId("table-after").addEventListener("click", () => turn(view.at + PAGE));
  const body = byId("table").tBodies[0];
  body.addEventListener("pointerover", (event) =>
    heat(spots.get(Number(event.target.closest("tr")?.dataset.row)) ?? -1));
  body.addEventListener("pointerleave", () => heat(-1));
}
listenTable();
restore();
renewals.push(() => () => {
  takeTable();
  const sorted = heads().findIndex((head) => head.ariaSort);
  if (sorted >= 0) sortBy(sorted, heads()[sorted].ariaSort === "descending");
  showRows(view.at);
});
