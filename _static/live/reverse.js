// The reverse pass by hand (chapter 7): through (ab + a)² forward for the values and backward for the slopes, one step at a
// time. The graph, the program of the text and a sentence show the same step.
"use strict";

const Reverse = (() => {
  /** Forward: the value of each box. */
  function forward(a, b) {
    const p = a * b;
    const s = p + a;
    const f = s * s;
    return { a, b, p, s, f };
  }

  /** Each arrow, from a box to one that uses it, and its factor: how many times a nudge at its start counts at its end. */
  const arrows = ({ a, b, s }) => [
    { from: "a", to: "p", name: "b", factor: b },
    { from: "b", to: "p", name: "a", factor: a },
    { from: "p", to: "s", name: "1", factor: 1 },
    { from: "a", to: "s", name: "1", factor: 1 },
    { from: "s", to: "f", name: "(s + s)", factor: s + s },
  ];

  /** Backward: the slope of each box is the sum, over the arrows that leave it, of factor times slope at the arrow's end. */
  function backward(values) {
    const slopes = { f: 1 };
    for (const box of ["s", "p", "b", "a"]) {
      slopes[box] = 0;
      for (const { from, to, factor } of arrows(values)) {
        if (from === box) slopes[box] = slopes[box] + factor * slopes[to];
      }
    }
    return slopes;
  }

  /** The steps in their order, each with its line of the program. Before the first, there are only the inputs. */
  const steps = [
    { kind: "value", box: "p", line: "p = a * b" },
    { kind: "value", box: "s", line: "s = p + a" },
    { kind: "value", box: "f", line: "f = s * s" },
    { kind: "slope", box: "f", line: "f_slope = 1.0" },
    { kind: "slope", box: "s", line: "s_slope = (s + s) * f_slope" },
    { kind: "slope", box: "p", line: "p_slope = 1 * s_slope" },
    { kind: "slope", box: "b", line: "b_slope = a * p_slope" },
    { kind: "slope", box: "a", line: "a_slope = b * p_slope + 1 * s_slope" },
  ];

  // ---- In words ----

  const exact = (number) => Live.words(number, 8);
  const inside = (number) => (number < 0 ? `(${exact(number)})` : exact(number));
  const factorWords = ({ name, factor }, { s }) => (name === "(s + s)" ? `(${exact(s)} + ${inside(s)})` : inside(factor));

  /** The numbers of a step, as in "3 × 16 + 1 × 16 = 64". */
  function sum({ kind, box }, values) {
    const { a, b, p, s } = values, slopes = backward(values);
    if (kind === "value") {
      return { p: `${exact(a)} × ${inside(b)}`, s: `${exact(p)} + ${inside(a)}`, f: `${exact(s)} × ${inside(s)}` }[box] + ` = ${exact(values[box])}`;
    }
    if (box === "f") return "1";
    const shares = arrows(values).filter(({ from }) => from === box);
    return shares.map((arrow) => `${factorWords(arrow, values)} × ${inside(slopes[arrow.to])}`).join(" + ") + ` = ${exact(slopes[box])}`;
  }

  /** What step number `count` does, 0 for none. */
  function explain(count, values) {
    if (count === 0) return `There are two inputs, a = ${exact(values.a)} and b = ${exact(values.b)}. Forward, with the values, comes first.`;
    const step = steps[count - 1], { kind, box } = step;
    if (kind === "value") {
      const what = { p: "a · b", s: "p + a", f: "s · s" }[box];
      return `Forward. Value of ${box} = ${what} = ${sum(step, values)}.`;
    }
    if (box === "f") return "Backward. A nudge of f nudges f by the same amount: slope of f = 1.";
    const shares = arrows(values).filter(({ from }) => from === box);
    const formula = shares.map(({ name, to }) => `factor ${name} × slope of ${to}`).join(" + ");
    const why = {
      s: "In a product, each factor’s nudge is multiplied by the other, and here both are s.",
      p: "A sum passes a nudge on as it is.",
      b: "In the product a · b, the nudge of b is multiplied by a.",
      a: "A nudge of a reaches f in two ways, through p and straight to s, and they add up.",
    }[box];
    return `Backward. ${why} Slope of ${box} = ${formula} = ${sum(step, values)}.`;
  }

  /** The slopes held against nudges, as at the beginning of the chapter. */
  function check(values, nudge = 0.001) {
    const { a, b, f } = values;
    const ratio = { a: (forward(a + nudge, b).f - f) / nudge, b: (forward(a, b + nudge).f - f) / nudge };
    const say = (box) => `nudge ${box} by ${nudge}, and f changes ${Live.words(ratio[box])} times as much`;
    return `Try it: ${say("a")}; ${say("b")}.`;
  }

  return { forward, backward, arrows, steps, sum, explain, check };
})();

Live.figure("fig-reverse", {
  caption: "The reverse pass through (ab + a)². Go forward for the values and backward for the slopes, one box at a time, and change a or b at any moment. " +
    "For which a and b is every slope zero, except that of f?",
  build(stage) {
    const { element, svg, set, slider, player, status, button, words } = Live;
    const { forward, backward, arrows, steps, sum, explain, check } = Reverse;
    const exact = (number) => words(number, 8);
    const names = { a: "a", b: "b", p: "p = a · b", s: "s = p + a", f: "f = s · s" };
    const box = { width: 108, height: 70 };
    // Where the middle of each box is: from left to right, as printed; from top to bottom where there is little room.
    const wide = {
      size: [720, 320], a: [62, 95], b: [62, 230], p: [255, 230], s: [448, 95], f: [655, 95],
      value: [[8, 32], [709, 32]], slope: [[709, 293], [8, 293]], turn: "", valueText: [360, 23], slopeText: [360, 313],
    };
    const tall = {
      size: [360, 476], a: [62, 41], b: [290, 41], p: [290, 171], s: [165, 301], f: [165, 431],
      value: [[32, 120], [32, 466]], slope: [[330, 466], [330, 235]], turn: "rotate(-90)", valueText: [22, 293], slopeText: [350, 350],
    };
    const room = () => (stage.clientWidth < 660 ? tall : wide);
    const inputs = { a: 2, b: 3 };
    let count = steps.length;

    const graph = svg("svg", { role: "img" });
    const program = element("ol", { class: "live-program", "aria-label": "The program, line by line" }, ...steps.map(({ line }) =>
      element("li", {}, element("code", {}, line), element("span"))));
    const sentence = status();
    const tried = element("p", { class: "live-note" });
    const sliders = Object.keys(inputs).map((name) =>
      slider({ label: name, min: -4, max: 4, step: 0.5, value: inputs[name], change: (value) => { inputs[name] = value; draw(); } }));
    const go = (to) => {
      const further = to > count;
      count = Live.clamp(to, [0, steps.length]);
      draw();
      if (further) travel();
      return count < steps.length;
    };
    const playing = player({
      every: 1600,
      begin: () => { if (count === steps.length) go(0); },
      step: () => go(count + 1),
      reset: () => go(0),
    });
    const back = button("Step back", () => { playing.stop(); go(count - 1); });
    playing.node.children[1].after(back);

    /** The place on the edge of a box where an arrow to `toward` starts. */
    function edge([x, y], toward) {
      const [dx, dy] = [toward[0] - x, toward[1] - y];
      const share = Math.min((box.width / 2 + 5) / Math.abs(dx), (box.height / 2 + 5) / Math.abs(dy));
      return [x + dx * share, y + dy * share];
    }

    /** Let the numbers travel along the arrows of the step that was just made; on the way back, each is multiplied midway. */
    function travel() {
      const values = forward(inputs.a, inputs.b), slopes = backward(values), now = steps[count - 1];
      if (!now || Live.calm()) return;
      const places = room();
      for (const { from, to, factor } of arrows(values)) {
        const ahead = now.kind === "value" && now.box === to, behind = now.kind === "slope" && now.box === from;
        if (!ahead && !behind) continue;
        const start = edge(places[from], places[to]), end = edge(places[to], places[from]);
        const [leave, arrive] = ahead ? [start, end] : [end, start];
        const text = svg("text", { y: 4, "text-anchor": "middle" }, exact(ahead ? values[from] : slopes[to]));
        const half = Math.max(24, 5 * text.textContent.length + 8);
        const shape = svg("rect", { x: -half, y: -13, width: 2 * half, height: 26, rx: 13 });
        const token = svg("g", { class: `live-token${behind ? " live-back" : ""}`, "aria-hidden": "true" }, shape, text);
        graph.append(token);
        const move = ([x, y]) => ({ transform: `translate(${x}px, ${y}px)` });
        token.animate([move(leave), move(arrive)], { duration: 900, easing: "ease-in-out", fill: "forwards" }).finished.then(() => token.remove(), () => {});
        if (behind) setTimeout(() => { text.textContent = exact(factor * slopes[to]); }, 450);
      }
    }

    function draw() {
      const values = forward(inputs.a, inputs.b), slopes = backward(values);
      const done = steps.slice(0, count), now = done.at(-1);
      const known = (kind, name) => done.some((step) => step.kind === kind && step.box === name);
      const places = room();
      const drawn = [];

      for (const [kind, title, color] of [["value", "forward: values", "two"], ["slope", "backward: slopes", "one"]]) {
        const here = now?.kind === kind;
        drawn.push(
          Live.arrow(...places[kind], { class: "live-arrow live-band", style: `color: var(--live-${here ? color : "quiet"})` }),
          svg("text", {
            transform: `translate(${places[`${kind}Text`].join(" ")}) ${places.turn}`, "text-anchor": "middle", class: here ? "live-now" : "",
          }, title));
      }
      for (const arrow of arrows(values)) {
        const { from, to, name, factor } = arrow;
        const start = edge(places[from], places[to]), end = edge(places[to], places[from]);
        const ahead = now?.kind === "value" && now.box === to, behind = now?.kind === "slope" && now.box === from;
        const color = ahead ? "var(--live-two)" : behind ? "var(--live-one)" : "var(--live-quiet)";
        drawn.push(Live.arrow(...(behind ? [end, start] : [start, end]), {
          head: ahead || behind ? 14 : 9, class: `live-arrow${ahead || behind ? " live-now" : ""}`, style: `color: ${color}`, "data-arrow": from + to,
        }));
        if (known("slope", from)) {
          // Beside the arrow's middle, on its upper side.
          const [dx, dy] = [end[0] - start[0], end[1] - start[1]], length = Math.hypot(dx, dy) * (dx < 0 ? -1 : 1);
          const [nx, ny] = [dy / length, -dx / length];
          drawn.push(svg("text", {
            x: (start[0] + end[0]) / 2 + 10 * nx, y: (start[1] + end[1]) / 2 + 10 * ny + (Math.abs(nx) > 0.3 ? 4 : 0),
            "text-anchor": Math.abs(nx) < 0.3 ? "middle" : nx > 0 ? "start" : "end", class: behind ? "live-now" : "",
          }, name === "(s + s)" ? `× (${exact(values.s)} + ${values.s < 0 ? `(${exact(values.s)})` : exact(values.s)})` : `× ${exact(factor)}`));
        }
      }
      for (const [name, title] of Object.entries(names)) {
        const [x, y] = places[name], has = name in inputs || known("value", name);
        const rect = svg("rect", { x: x - box.width / 2, y: y - box.height / 2, width: box.width, height: box.height, rx: 8 });
        const text = (line, content, kind) => svg("text", {
          x, y: y - 19 + 22 * line, "text-anchor": "middle", class: now?.box === name && now.kind === kind ? "live-now" : "",
        }, content);
        drawn.push(svg("g", { class: `live-box${now?.box === name ? " live-now" : ""}${now?.kind === "slope" ? " live-back" : ""}${has ? "" : " live-open"}`, "data-box": name },
          rect, text(0.2, title),
          ...(has ? [text(1.1, `value ${exact(values[name])}`, "value")] : []),
          ...(known("slope", name) ? [text(2, `slope ${exact(slopes[name])}`, "slope")] : [])));
      }
      const [width, height] = places.size;
      set(graph, {
        viewBox: `0 0 ${width} ${height}`,
        "aria-label": "Five boxes joined by arrows. " + Object.keys(names).map((name) => name +
          (name in inputs || known("value", name) ? `: value ${exact(values[name])}` : ": no value yet") +
          (known("slope", name) ? `, slope ${exact(slopes[name])}` : "")).join("; ") + ".",
      });
      graph.replaceChildren(...drawn);

      [...program.children].forEach((line, i) => {
        set(line, { "aria-current": i === count - 1 ? "step" : null, class: i < count ? "live-done" : "" });
        line.lastChild.textContent = i < count ? sum(steps[i], values) : "";
      });
      Object.entries(inputs).forEach(([, value], i) => sliders[i].set(value));
      const still = count === steps.length && values.s === 0;
      sentence.say(explain(count, values) + (still ? " Since s is 0, f is at its lowest, and no small nudge of a or b moves it." : ""));
      tried.textContent = count === steps.length ? check(values) : "";
    }

    stage.append(graph, playing.node, sentence.node, element("div", { class: "live-row" },
      element("div", { class: "live-stack" }, ...sliders.map(({ node }) => node)), program), tried);
    draw();
    let drawnIn = room();
    new ResizeObserver(() => { if (drawnIn !== room()) { drawnIn = room(); draw(); } }).observe(stage);
  },
});
