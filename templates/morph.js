
// Puts a newer page in place of the one that is there: what is the same stays as it is, with its
// focus, its selection and what stands open; only what differs is changed, moved, added or removed.
// --- what belongs to the scripts ---
// Attributes that tell what a person did, or that scripts give; nodes that scripts made or fill.
const HELD = new Set(["open", "hidden", "disabled", "tabindex", "role", "aria-label", "aria-sort",
  "aria-pressed", "aria-expanded", "style"]);
const MADE = ".plot > :not(svg), .axis", FILLED = "output, #table > tbody";
const isMade = (node) => node.nodeType === 1 && node.matches(MADE);

// --- which node is which ---
const unnumbered = (text) => text.replace(/[\d\u202f\s.,]+/g, " ");
const KEYS = [
  ["figure.chart", (node, names) => names.get(node.id) ?? node.id],
  ["[data-key]", (node) => node.dataset.key],
  ["details", (node) => unnumbered(node.querySelector("summary")?.firstChild?.textContent ?? "")],
  ["tr", (node) => node.querySelector("td.name")?.dataset.v ?? node.cells[0]?.textContent ?? ""],
  ["th", (node) => node.textContent],
  ["option", (node) => node.value],
  ["[data-run-chip]", (node) => node.title],
  ["dl > div", (node) => node.querySelector("dt")?.textContent ?? ""],
  ["section", (node) => node.id || unnumbered(node.querySelector("h2")?.textContent ?? "")],
];
function keyOf(node, names) {
  if (node.nodeType !== 1) return node.nodeName;
  const [, told] = KEYS.find(([query]) => node.matches(query)) ?? [];
  const usual = node.id || node.getAttribute("class") || "";
  return `${node.nodeName} ${told ? told(node, names) : usual}`;
}

// --- putting in place ---
// `was` and `is` name the figures of either page by their id: a chart may be another's neighbour,
// or leave a fold, and stays the same.
function morph(old, fresh, was, is) {
  const figures = new Map(all("figure.chart", old).map((node) => [keyOf(node, was), node]));
  renew(old, fresh);

  function renew(node, wanted) {
    if (node.nodeType !== 1) {
      if (node.data !== wanted.data) node.data = wanted.data;
    } else if (node.matches(FILLED) || node.isEqualNode(wanted)) return;
    else if (node.namespaceURI === SVG) node.replaceWith(document.importNode(wanted, true));
    else {
      traits(node, wanted);
      inside(node, wanted);
    }
  }
  function traits(node, wanted) {
    for (const { name } of [...node.attributes])
      if (!HELD.has(name) && !wanted.hasAttribute(name)) node.removeAttribute(name);
    for (const { name, value } of wanted.attributes)
      if (!HELD.has(name) && node.getAttribute(name) !== value) node.setAttribute(name, value);
  }
  function moved(child) {
    const key = keyOf(child, is), found = figures.get(key);
    figures.delete(key);
    return found;
  }
  // New here, but not all that is in it.
  function brought(child) {
    const node = document.importNode(child, true);
    if (node.nodeType !== 1) return node;
    for (const copy of all("figure.chart", node)) {
      const found = moved(copy);
      if (!found) continue;
      copy.replaceWith(found);
      renew(found, copy);
    }
    return node;
  }
  function inside(node, wanted) {
    const spare = new Map();
    for (const child of node.childNodes) {
      if (isMade(child)) continue;
      const key = keyOf(child, was);
      spare.set(key, [...(spare.get(key) ?? []), child]);
    }
    const pairs = [...wanted.childNodes].map((child) => {
      const found = spare.get(keyOf(child, is))?.shift() ?? moved(child);
      return [found ?? brought(child), found && child];
    });
    for (const child of [...spare.values()].flat()) child.remove();
    let at = node.firstChild;
    for (const [child, from] of pairs) {
      while (at && isMade(at)) at = at.nextSibling;
      if (child === at) at = at.nextSibling;
      else node.insertBefore(child, at);
      if (from) renew(child, from);
    }
  }
}
