
// Charts and findings as files: SVG and PNG of what is on the screen, CSV of the numbers behind it.
// --- names and bytes ---
function save(blob, name) {
  const link = make("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
// Safe on every file system; charts that would share a name carry their key.
function plainName(chart) {
  const words = chart.name.normalize("NFC").replace(/[^\p{L}\p{N}._-]+/gu, "-");
  const name = [...words.replace(/^[.-]+/, "")].slice(0, 80).join("").replace(/[.-]+$/, "") || chart.k;
  // Devices of Windows are no files.
  const apart = /^(con|prn|aux|nul|(com|lpt)\d)(\.|$)/i.test(name) ? name.replace(/^\w+/, "$&_") : name;
  return chart.zero ? `${apart}-difference` : apart;
}
function fileName(chart) {
  const name = plainName(chart), same = (other) => plainName(other).toLowerCase() === name.toLowerCase();
  return charts.filter(same).length > 1 ? `${name}-${chart.k}` : name;
}
// A name that begins like a formula must not become one in a spreadsheet.
const cell = (text) => `"${String(text).replace(/^[=+\-@\t\r]/, "'$&").replace(/"/g, '""')}"`;
function csv(some) {
  const rows = ["metric,run,split,first_step,last_step,mean,min,max"];
  for (const chart of some)
    for (const line of chart.lines.map(load))
      line.mean.forEach((mean, i) => rows.push([cell(chart.name), cell(source.runs[line.r].n),
        cell(line.s), line.grid.first[i], line.grid.last[i], mean, line.low[i], line.high[i]].join(",")));
  return new Blob([rows.join("\n"), "\n"], { type: "text/csv" });
}

// --- a chart with its title, its marks and the names of its lines ---
const HEAD = 30, ROW = 18, NAMED = 8;
// Which line is which; of more than a few runs none has a colour of its own.
function legend(chart, pen, width) {
  const lines = shown(chart).filter((line) => !line.faint), places = [];
  if (lines.length < 2 || lines.length > NAMED) return { places, tall: 0 };
  const splits = new Set(lines.map((l) => l.s)).size > 1, runs = new Set(lines.map((l) => l.r)).size > 1;
  let x = MARGIN.left, row = 0;
  pen.font = "11px system-ui, sans-serif";
  for (const line of lines) {
    const text = [runs && source.runs[line.r].n, splits && line.s].filter(Boolean).join(" · ");
    const told = [...text].length > 60 ? `${[...text].slice(0, 59).join("")}…` : text;
    const wide = 24 + pen.measureText(told).width + 16;
    if (x + wide > width && x > MARGIN.left) { x = MARGIN.left; row++; }
    places.push({ line, told, x, y: row * ROW });
    x += wide;
  }
  return { places, tall: (row + 1) * ROW + 4 };
}
function heading(chart, pen) {
  pen.fillStyle = ink.ink;
  pen.font = "600 13px system-ui, sans-serif";
  pen.textAlign = "left";
  pen.textBaseline = "alphabetic";
  const title = chart.name + (chart.zero ? ", difference" : ""), wide = pen.measureText(title).width;
  pen.fillText(title, 8, 20);
  if (!chart.unit) return;
  pen.fillStyle = ink.soft;
  pen.font = "13px system-ui, sans-serif";
  pen.fillText(chart.unit, 8 + wide + 6, 20);
}
function numberMarks(chart, pen) {
  for (const mark of chart.markBox.children) {
    const at = parseFloat(mark.style.left), half = Math.max(0, mark.offsetWidth / 2 - 7);
    pen.strokeStyle = ink[mark.classList[1]];
    pen.lineWidth = 14;
    pen.lineCap = "round";
    pen.beginPath();
    pen.moveTo(at - half, 7);
    pen.lineTo(at + half + 0.01, 7);
    pen.stroke();
    pen.fillStyle = ink.paper;
    pen.font = "600 10px system-ui, sans-serif";
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillText(mark.textContent, at, 7);
  }
}
function sheet(chart, width, height, open) {
  const keys = legend(chart, ruler, width), tall = HEAD + height + keys.tall, pen = open(width, tall);
  pen.fillStyle = ink.paper;
  pen.fillRect(0, 0, width, tall);
  heading(chart, pen);
  pen.save();
  pen.translate(0, HEAD);
  paint(pen, chart, width, height);
  numberMarks(chart, pen);
  pen.restore();
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  pen.font = "11px system-ui, sans-serif";
  for (const { line, told, x, y } of keys.places) {
    const at = HEAD + height + y + ROW / 2;
    pen.strokeStyle = colourOf(line.r);
    pen.lineWidth = 1.5;
    pen.setLineDash(dashOf(chart, line));
    pen.beginPath();
    pen.moveTo(x, at);
    pen.lineTo(x + 18, at);
    pen.stroke();
    pen.fillStyle = ink.ink;
    pen.fillText(told, x + 24, at);
  }
  return pen;
}
function svg(chart) {
  draw(chart);
  const { clientWidth, clientHeight } = chart.plot;
  const pen = sheet(chart, clientWidth, clientHeight, (w, h) => new SvgPen(w, h, chart.name));
  const text = new XMLSerializer().serializeToString(pen.root);
  return new Blob(['<?xml version="1.0" encoding="UTF-8"?>\n', text, "\n"], { type: "image/svg+xml" });
}
function png(chart) {
  draw(chart);
  const scale = window.devicePixelRatio || 1, canvas = make("canvas");
  sheet(chart, chart.plot.clientWidth, chart.plot.clientHeight, (w, h) => {
    canvas.width = Math.round(w * scale);
    canvas.height = Math.round(h * scale);
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    return pen;
  });
  // At once: browsers hold back a file that comes later than the click that asked for it.
  return new Blob([bytes(canvas.toDataURL("image/png").split(",")[1])], { type: "image/png" });
}

// --- buttons ---
const FILES = { csv: (chart) => csv([chart]), svg, png };
function nameFiles(chart) {
  for (const kind of Object.keys(FILES))
    chart.figure.querySelector(`[data-do=${kind}]`)
      ?.setAttribute("aria-label", `${kind.toUpperCase()} of ${chart.name}`);
}
function listenFiles() {
  for (const [kind, made] of Object.entries(FILES))
    on("click", `.chart [data-do=${kind}]`, (button) => {
      const chart = chartAt(button);
      save(made(chart), `${fileName(chart)}.${kind}`);
    });
  on("click", "#save-csv", () => save(csv(charts), "charts.csv"));
  on("click", "#save-json", () =>
    save(new Blob([byId("findings-json").textContent], { type: "application/json" }), "findings.json"));
}
