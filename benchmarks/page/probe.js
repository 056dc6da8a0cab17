// Put into a page before its own scripts: when does it answer a pointer, and how fast?
// The same for every page; only where its first chart is and what its tooltip says differ.
(() => {
  const inShadow = (root, query) => [...root.querySelectorAll(query),
    ...[...root.querySelectorAll("*")].flatMap((node) =>
      node.shadowRoot ? inShadow(node.shadowRoot, query) : [])];
  const PAGES = {
    trainlens: {
      chart: () => document.querySelector("#charts .plot"),
      told: () => {
        const tip = document.getElementById("tip");
        return tip && !tip.hidden ? tip.textContent : "";
      },
    },
    plotly: {
      chart: () => document.querySelector(".nsewdrag"),
      told: () => document.querySelector(".hoverlayer")?.textContent || "",
    },
    bokeh: {
      chart: () => inShadow(document, ".bk-events")[0],
      told: () => inShadow(document, ".bk-Tooltip").filter((tip) => tip.checkVisibility())
        .map((tip) => (tip.shadowRoot || tip).textContent).join(),
    },
  };
  const page = PAGES["%PAGE%"];
  const probe = (window.probe = { interactive: null, latency: null, released: 0, drawn: 0 });
  // A task that an animation callback asks for runs when its frame has been painted.
  const centre = () => {
    const box = page.chart().getBoundingClientRect();
    return { left: box.left, top: box.top, width: box.width, height: box.height };
  };
  probe.box = centre;

  // --- interactive: the first hover that is answered, painted ---
  let scrolled = false, tries = 0, due = 0;
  function ask() {
    if (page.told()) {
      setTimeout(() => { probe.interactive = performance.now(); }, 0);
      return;
    }
    // No page answers before its scripts have run, and asking would slow the reading of it.
    const chart = document.readyState !== "loading" && page.chart();
    if (chart && performance.now() >= due) {
      due = performance.now() + 16;
      if (!scrolled) chart.scrollIntoView({ block: "center" });
      scrolled = true;
      const box = centre(), x = box.left + box.width * (0.5 + 0.01 * (tries++ % 5));
      const y = box.top + box.height / 2;
      let under = document.elementFromPoint(x, y) || chart;
      while (under.shadowRoot?.elementFromPoint(x, y)) {
        const inner = under.shadowRoot.elementFromPoint(x, y);
        if (inner === under) break;
        under = inner;
      }
      const at = { clientX: x, clientY: y, bubbles: true, composed: true, pointerType: "mouse",
        pointerId: 1, isPrimary: true, view: window };
      if (tries === 1) {
        under.dispatchEvent(new PointerEvent("pointerover", at));
        under.dispatchEvent(new PointerEvent("pointerenter", at));
        under.dispatchEvent(new MouseEvent("mouseover", at));
      }
      under.dispatchEvent(new PointerEvent("pointermove", at));
      under.dispatchEvent(new MouseEvent("mousemove", at));
    }
    requestAnimationFrame(ask);
  }
  requestAnimationFrame(ask);

  // --- hover: from the arrival of a movement to the end of the frame that shows another tooltip ---
  let before = null;
  probe.arm = () => { before = page.told(); probe.latency = null; };
  addEventListener("pointermove", (event) => {
    if (before === null || !event.isTrusted) return;
    const old = before, began = performance.now();
    before = null;
    const look = () => {
      const now = page.told();
      if (now && now !== old)
        setTimeout(() => { probe.latency = performance.now() - began; }, 0);
      else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  }, true);

  // --- zoom: from the release to the end of the last task that drew on a canvas ---
  let watched = false, pending = false;
  addEventListener("pointerup", (event) => {
    probe.released = event.timeStamp;
    probe.drawn = 0;
    watched = true;
  }, true);
  const note = () => {
    if (!watched || pending) return;
    pending = true;
    setTimeout(() => { pending = false; probe.drawn = performance.now(); }, 0);
  };
  const hook = (type, names) => {
    for (const name of names) {
      const plain = type.prototype[name];
      type.prototype[name] = function (...all) { note(); return plain.apply(this, all); };
    }
  };
  hook(CanvasRenderingContext2D, ["stroke", "fill"]);
  // Drawing itself may go through an extension; what has to come before it does not.
  for (const type of [WebGLRenderingContext, WebGL2RenderingContext])
    hook(type, ["useProgram", "clear", "drawArrays", "drawElements"]);
})();
