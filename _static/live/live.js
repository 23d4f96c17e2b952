// What the live figures share: numbers in words, scales, a chart, controls, and swapping a picture for its live figure.
// Each figure has a file of its own: pure functions first, named as in the chapter, then one call of `Live.figure`.
"use strict";

const Live = (() => {
  // ---- Pure functions ----

  /** A number as a reader sees it: three digits that count, a true minus, powers of ten where they are shorter. */
  function words(x, digits = 3) {
    if (Number.isNaN(x)) return "nan";
    if (!Number.isFinite(x)) return x < 0 ? "−inf" : "inf";
    const size = Math.abs(x);
    const text = size !== 0 && (size < 1e-3 || size >= 1e5)
      ? x.toExponential(digits - 1).replace("e+", "e")
      : String(Number(x.toPrecision(digits)));
    return text.replaceAll("-", "−");
  }

  /** The straight line that takes the interval `from` to the interval `to`. */
  const linear = ([a, b], [c, d]) => (x) => c + ((x - a) / (b - a)) * (d - c);

  /** The same for the logarithm of x. */
  const logarithmic = ([a, b], to) => {
    const line = linear([Math.log10(a), Math.log10(b)], to);
    return (x) => line(Math.log10(x));
  };

  const clamp = (x, [low, high]) => Math.min(high, Math.max(low, x));

  /** Round numbers for an axis, about `count` of them; powers of ten on a logarithmic one. */
  function ticks([low, high], count = 5, log = false) {
    if (log) {
      const [first, last] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
      const every = Math.max(1, Math.ceil((last - first) / count));
      return Array.from({ length: Math.floor((last - first) / every) + 1 }, (_, i) => 10 ** (first + i * every));
    }
    const rough = (high - low) / count, ten = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((m) => m * ten).find((s) => s >= rough * 0.999);
    const first = Math.ceil(low / step - 1e-9);
    const total = Math.floor(high / step + 1e-9) - first + 1;
    return Array.from({ length: total }, (_, i) => Number(((first + i) * step).toPrecision(12)));
  }

  // ---- Elements ----

  const SVG = "http://www.w3.org/2000/svg";

  /** Set attributes; a value of null removes one, a function listens. Returns the node. */
  function set(node, attributes) {
    for (const [name, value] of Object.entries(attributes)) {
      if (typeof value === "function") node.addEventListener(name, value);
      else if (value === null || value === false) node.removeAttribute(name);
      else node.setAttribute(name, value === true ? "" : value);
    }
    return node;
  }
  function element(tag, attributes = {}, ...children) {
    const node = set(document.createElement(tag), attributes);
    node.append(...children);
    return node;
  }
  function svg(tag, attributes = {}, ...children) {
    const node = set(document.createElementNS(SVG, tag), attributes);
    node.append(...children);
    return node;
  }

  /** An arrow from one place to another, as a line and its head; `head` is the length of the head. */
  function arrow([x1, y1], [x2, y2], { head = 9, ...attributes } = {}) {
    const length = Math.hypot(x2 - x1, y2 - y1) || 1;
    const [dx, dy] = [(x2 - x1) / length, (y2 - y1) / length];
    const [x, y] = [x2 - dx * head, y2 - dy * head];
    const points = [[x2, y2], [x - (dy * head) / 2, y + (dx * head) / 2], [x + (dy * head) / 2, y - (dx * head) / 2]];
    return svg("g", { class: "live-arrow", ...attributes },
      svg("line", { x1, y1, x2: x, y2: y }),
      svg("polygon", { points: points.map((point) => point.map((c) => c.toFixed(1)).join()).join(" ") }));
  }

  // ---- Controls: each is { node, value, set(value) } ----

  /**
   * A slider. `say` turns its number into the words that are shown beside it and read aloud;
   * with `at`, a list, it moves over the list's entries. `marks`, a list of [value, text, side], names places below it.
   */
  function slider({ label, min = 0, max = 1, step = 0.01, at, marks = [], value, say = words, change }) {
    const input = element("input", at
      ? { type: "range", min: 0, max: at.length - 1, step: 1 }
      : { type: "range", min, max, step });
    input.setAttribute("aria-label", label); // without the value, which aria-valuetext says
    const shown = element("output", { "aria-live": "off" }); // the slider itself is read aloud
    const node = element("label", { class: "live-slider" }, element("span", {}, label), input, shown);
    if (marks.length) node.append(markings(marks.map(([place, ...rest]) => at
      ? [at.indexOf(place) / (at.length - 1), ...rest]
      : [(place - min) / (max - min), ...rest])));
    const control = {
      node,
      get value() { return at ? at[Number(input.value)] : Number(input.value); },
      set(next) {
        input.value = at ? at.indexOf(next) : next;
        tell();
      },
    };
    function tell() {
      shown.textContent = say(control.value);
      input.setAttribute("aria-valuetext", shown.textContent);
    }
    input.addEventListener("input", () => { tell(); change?.(control.value); });
    control.set(value);
    return control;
  }

  /** Short lines with words below a slider; a word stands left or right of its line, or in the middle. */
  function markings(marks) {
    const row = element("span", { class: "live-marks", "aria-hidden": "true" });
    row.append(...marks.map(([share, text, side = "middle"]) =>
      element("span", { class: `live-mark-${side}`, style: `--live-share: ${share.toFixed(4)}` }, text)));
    return row;
  }

  /** A choice of one from a few: `options` is a list of [value, text]. */
  function choice({ label, options, value, change }) {
    const select = element("select");
    select.append(...options.map(([, text], i) => element("option", { value: i }, text)));
    const control = {
      node: element("label", { class: "live-choice" }, element("span", {}, label), select),
      get value() { return options[Number(select.value)][0]; },
      set(next) { select.value = options.findIndex(([v]) => v === next); },
    };
    select.addEventListener("change", () => change?.(control.value));
    control.set(value ?? options[0][0]);
    return control;
  }

  /** Something that is on or off. */
  function check({ label, value = false, change }) {
    const box = element("input", { type: "checkbox" });
    const control = {
      node: element("label", { class: "live-check" }, box, ` ${label}`),
      get value() { return box.checked; },
      set(next) { box.checked = next; },
    };
    box.addEventListener("change", () => change?.(control.value));
    control.set(value);
    return control;
  }

  const button = (text, press) => element("button", { type: "button", click: press }, text);

  const calm = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;

  /**
   * The buttons Play, Step and Start over. `step` does one step and says whether there is another. Play stops at
   * the end and when the page is hidden; for readers who asked for less motion, it goes to the end at once. `begin`
   * runs when Play is pressed, and may go back to the start of what has ended.
   */
  function player({ step, reset, begin, every = 300, most = 200 }) {
    let timer = null;
    const play = button("Play", () => (timer ? stop() : start()));
    function stop() {
      clearInterval(timer);
      timer = null;
      play.textContent = "Play";
    }
    function start() {
      begin?.();
      if (calm()) {
        for (let i = 0; i < most && step(); i++);
        return;
      }
      play.textContent = "Pause";
      timer = setInterval(() => { if (document.hidden || !step()) stop(); }, every);
    }
    const node = element("div", { class: "live-player" },
      play,
      button("Step", () => { stop(); step(); }),
      button("Start over", () => { stop(); reset(); }));
    return { node, stop };
  }

  /** A line that says what is seen. It is read aloud when it has stopped changing, not for each frame or tug. */
  function status(pause = 500) {
    const node = element("p", { role: "status", class: "live-status", "aria-live": "off" });
    let timer = null;
    return {
      node,
      say(text) {
        if (text === node.textContent) return;
        const first = !node.textContent;
        clearTimeout(timer);
        set(node, { "aria-live": "off" });
        node.textContent = text;
        if (first) return; // nobody is told what nobody did
        timer = setTimeout(() => {
          set(node, { "aria-live": "polite" });
          node.textContent = "";
          node.textContent = text;
        }, pause);
      },
    };
  }

  /**
   * Let mouse, pen or finger drag something in an SVG: `move(x, y)` gets places in its own units. A mouse takes hold anywhere,
   * and a tap is a move as well; a finger drags only what is in `handle`, so that the page still scrolls.
   */
  function drag(node, handle, move) {
    const to = (event) => {
      const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(node.getScreenCTM().inverse());
      move(point.x, point.y);
    };
    let held = null;
    // The style touch-action does not reach everything inside an SVG; this keeps the page still in any browser.
    handle.addEventListener("touchstart", (event) => event.preventDefault(), { passive: false });
    node.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || (event.pointerType === "touch" && !handle.contains(event.target))) return;
      held = event.pointerId;
      node.setPointerCapture(held);
      event.preventDefault(); // no text is selected on the way
      to(event);
    });
    node.addEventListener("pointermove", (event) => { if (event.pointerId === held) to(event); });
    for (const end of ["pointerup", "pointercancel"]) node.addEventListener(end, () => { held = null; });
    node.addEventListener("click", to);
  }

  // ---- A chart ----

  /**
   * Axes with ticks and labels, `x` and `y` from numbers to places, and layers to draw into:
   * `lines(points)` gives the d of a path, `clear()` empties what was drawn.
   */
  function chart({ width = 360, height = 240, x, y, xLabel = "", yLabel = "", logX = false, logY = false, label = "", ticksX = 5, ticksY = 4 }) {
    const edge = { left: 52, right: 12, top: 12, bottom: 42 };
    const placeX = (logX ? logarithmic : linear)(x, [edge.left, width - edge.right]);
    const placeY = (logY ? logarithmic : linear)(y, [height - edge.bottom, edge.top]);
    const name = `live-clip-${(chart.count = (chart.count ?? 0) + 1)}`;
    const inside = svg("g", { class: "live-inside", "clip-path": `url(#${name})` });
    const grid = svg("g", { class: "live-axes", "aria-hidden": "true" });
    const tick = (value, log) => (log && (value < 0.01 || value > 1000) ? value.toExponential(0).replace("e+", "e").replace("-", "−") : words(value));
    for (const value of ticks(x, ticksX, logX)) {
      grid.append(
        svg("line", { x1: placeX(value), x2: placeX(value), y1: edge.top, y2: height - edge.bottom }),
        svg("text", { x: placeX(value), y: height - edge.bottom + 16, "text-anchor": "middle" }, tick(value, logX)));
    }
    for (const value of ticks(y, ticksY, logY)) {
      grid.append(
        svg("line", { x1: edge.left, x2: width - edge.right, y1: placeY(value), y2: placeY(value) }),
        svg("text", { x: edge.left - 6, y: placeY(value) + 4, "text-anchor": "end" }, tick(value, logY)));
    }
    const middle = (edge.top + height - edge.bottom) / 2;
    grid.append(
      svg("text", { x: (edge.left + width - edge.right) / 2, y: height - 6, "text-anchor": "middle" }, xLabel),
      svg("text", { x: 12, y: middle, "text-anchor": "middle", transform: `rotate(-90 12 ${middle})` }, yLabel));
    const clip = svg("clipPath", { id: name },
      svg("rect", { x: edge.left, y: edge.top, width: width - edge.left - edge.right, height: height - edge.top - edge.bottom }));
    const node = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label }, clip, grid, inside);
    return {
      node, inside, x: placeX, y: placeY,
      lines: (points) => points
        .filter(([, b]) => Number.isFinite(b))
        .map(([a, b], i) => `${i ? "L" : "M"}${placeX(a).toFixed(1)} ${clamp(placeY(b), [-1e4, 1e4]).toFixed(1)}`)
        .join(""),
      clear: () => inside.replaceChildren(),
    };
  }

  // ---- A live figure in the place of a picture ----

  /**
   * Put a live figure where the picture of `id` stands. `build(stage)` fills the stage. The picture stays: for print, for
   * readers without scripts, and behind a button. `caption` says what the live figure is and what to do with it.
   */
  function figure(id, { caption, build }) {
    const place = document.getElementById(id);
    const picture = place?.querySelector("img");
    if (!picture) return;
    const stage = element("div", { class: "live-stage", role: "group", "aria-label": caption });
    const turn = element("button", { type: "button", class: "live-turn", "aria-pressed": "false" }, "Show the printed figure");
    turn.addEventListener("click", () => {
      const printed = place.classList.toggle("live-printed");
      turn.setAttribute("aria-pressed", String(printed));
      turn.textContent = printed ? "Show the live figure" : "Show the printed figure";
    });
    place.classList.add("live");
    picture.after(stage);
    const text = place.querySelector("figcaption .caption-text");
    text?.after(element("span", { class: "live-caption" }, caption));
    place.querySelector("figcaption")?.append(turn);
    build(stage);
  }

  return { words, linear, logarithmic, clamp, ticks, set, element, svg, arrow, slider, choice, check, button, calm, player, status, drag, chart, figure };
})();
