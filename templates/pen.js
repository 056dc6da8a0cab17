
// A pen that draws like a canvas and leaves SVG: presentation attributes alone, text as text.
const near = (v) => String(Math.round(v * 100) / 100);
const ANCHOR = { left: "start", center: "middle", right: "end" };
const BELOW = { alphabetic: 0, middle: 0.35, top: 0.8 };
const ruler = make("canvas").getContext("2d");
// Characters that no XML may hold.
const legal = (text) => text.replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "\ufffd");
class SvgPen {
  constructor(width, height, title) {
    this.root = this.at = drawing("svg", { width: near(width), height: near(height),
      viewBox: `0 0 ${near(width)} ${near(height)}`, "font-family": "system-ui, sans-serif" });
    const told = drawing("title", {});
    told.textContent = legal(title);
    this.root.append(told);
    this.look = { globalAlpha: 1, fillStyle: "#000", strokeStyle: "#000", lineWidth: 1,
      lineJoin: "miter", lineCap: "butt", font: "10px sans-serif", textAlign: "left",
      textBaseline: "alphabetic", dash: [] };
    for (const name of Object.keys(this.look))
      Object.defineProperty(this, name, { get: () => this.look[name],
        set: (value) => { this.look[name] = value; } });
    this.held = [];
    this.clips = 0;
    this.d = "";
  }
  save() { this.held.push([this.at, { ...this.look }]); }
  restore() { [this.at, this.look] = this.held.pop(); }
  within(attributes) {
    const group = drawing("g", attributes);
    this.at.append(group);
    this.at = group;
  }
  translate(x, y) { this.within({ transform: `translate(${near(x)} ${near(y)})` }); }
  clip() {
    const id = `clip-${++this.clips}`, shape = drawing("clipPath", { id });
    shape.append(drawing("path", { d: this.d }));
    this.at.append(shape);
    this.within({ "clip-path": `url(#${id})` });
  }
  setLineDash(dash) { this.dash = dash; }
  beginPath() { this.d = ""; }
  go(letter, x, y) {
    if (Number.isFinite(x) && Number.isFinite(y)) this.d += `${this.d ? letter : "M"}${near(x)} ${near(y)}`;
  }
  moveTo(x, y) { this.go("M", x, y); }
  lineTo(x, y) { this.go("L", x, y); }
  rect(x, y, wide, tall) { this.d += `M${near(x)} ${near(y)}h${near(wide)}v${near(tall)}h${near(-wide)}Z`; }
  // Whole circles only: the charts draw no other arc.
  arc(x, y, r) {
    const half = (way) => `a${near(r)} ${near(r)} 0 1 0 ${near(way * 2 * r)} 0`;
    if (Number.isFinite(x) && Number.isFinite(y)) this.d += `M${near(x - r)} ${near(y)}${half(1)}${half(-1)}Z`;
  }
  put(attributes) {
    if (!this.d) return;
    this.at.append(drawing("path", { d: this.d, ...attributes }));
  }
  faded(kind) { return this.globalAlpha < 1 ? { [`${kind}-opacity`]: near(this.globalAlpha) } : {}; }
  fill() { this.put({ fill: this.fillStyle, ...this.faded("fill") }); }
  stroke() {
    const dash = this.dash.length ? { "stroke-dasharray": this.dash.join(" ") } : {};
    this.put({ fill: "none", stroke: this.strokeStyle, "stroke-width": near(this.lineWidth),
      "stroke-linejoin": this.lineJoin, "stroke-linecap": this.lineCap, ...dash, ...this.faded("stroke") });
  }
  fillRect(x, y, wide, tall) {
    const kept = this.d;
    this.d = "";
    this.rect(x, y, wide, tall);
    this.fill();
    this.d = kept;
  }
  measureText(text) {
    ruler.font = this.font;
    return ruler.measureText(text);
  }
  fillText(text, x, y) {
    const size = Number(/([\d.]+)px/.exec(this.font)[1]), weight = /^\d+ /.exec(this.font);
    const node = drawing("text", { x: near(x), y: near(y + BELOW[this.textBaseline] * size),
      "font-size": size, ...(weight ? { "font-weight": weight[0].trim() } : {}),
      "text-anchor": ANCHOR[this.textAlign], fill: this.fillStyle, ...this.faded("fill") });
    node.textContent = legal(String(text));
    this.at.append(node);
  }
}
