// Six activation functions from the table in chapter 5: value and slope at a place of your choice, and the tangent there.
"use strict";

const Activations = (() => {
  const sigmoid = (x) => 1 / (1 + Math.exp(-x));
  const swish = (x, beta = 1) => x * sigmoid(beta * x);
  function swishSlope(x, beta = 1) {
    const s = sigmoid(beta * x);
    return s + beta * x * s * (1 - s);
  }

  // GELU as `jax.nn.gelu` computes it unless it is told otherwise, with tanh in the place of Φ.
  const ROOT = Math.sqrt(2 / Math.PI), CUBE = 0.044715;
  const geluTanh = (x) => Math.tanh(ROOT * (x + CUBE * x ** 3));
  const gelu = (x) => (x / 2) * (1 + geluTanh(x));
  function geluSlope(x) {
    const t = geluTanh(x);
    return (1 + t) / 2 + (x / 2) * (1 - t * t) * ROOT * (1 + 3 * CUBE * x * x);
  }

  const LAMBDA = 1.0507009873554805, ALPHA = 1.6732632423543772;

  /** Each function and its slope; at a corner, the slope from the left, as JAX has it. Only Swish reads β. */
  const FUNCTIONS = {
    sigmoid: { formula: "1 / (1 + e⁻ˣ)", value: sigmoid, slope: (x) => sigmoid(x) * sigmoid(-x) },
    tanh: { formula: "tanh(x) = 2 σ(2x) − 1", value: Math.tanh, slope: (x) => 1 - Math.tanh(x) ** 2 },
    ReLU: { formula: "max(x, 0)", value: (x) => Math.max(x, 0), slope: (x) => (x > 0 ? 1 : 0), corner: true },
    GELU: { formula: "x Φ(x), approximated with tanh as in jax.nn.gelu", value: gelu, slope: geluSlope },
    SELU: {
      formula: "λx if x > 0, else λα (eˣ − 1)",
      value: (x) => LAMBDA * (x > 0 ? x : ALPHA * Math.expm1(x)),
      slope: (x) => LAMBDA * (x > 0 ? 1 : ALPHA * Math.exp(x)),
      corner: true,
    },
    Swish: { formula: "x σ(βx)", value: swish, slope: swishSlope },
  };

  /** What a slope means for a unit that is there, in words. */
  function verdict(name, x, beta = 1) {
    const slope = FUNCTIONS[name].slope(x, beta);
    if (FUNCTIONS[name].corner && x === 0) return "This is a corner, and strictly there is no slope. JAX reports the one from the left.";
    if (name === "Swish" && beta === 0) return "With β = 0, Swish is the straight line x/2, and has no bend at all.";
    if (slope === 0) return "Exactly flat: a unit here gets no push at all.";
    if (Math.abs(slope) < 0.05) {
      return name === "sigmoid" || name === "tanh"
        ? "Almost flat, or saturated: a unit here hardly reacts when one of its weights changes."
        : "Almost flat: a unit here hardly reacts when one of its weights changes.";
    }
    if (slope < 0) return "The function falls here: a larger input gives a smaller output.";
    if (Live.words(slope) === "1") return "A change in the input comes out as large as it went in.";
    return `A change in the input comes out ${Live.words(slope)} times as large, and after ten such slopes ${Live.words(slope ** 10)} times.`;
  }

  return { FUNCTIONS, sigmoid, swish, swishSlope, gelu, geluSlope, verdict };
})();

Live.figure("fig-activations", {
  caption: "An activation function, its tangent at x, and its slope there. The dotted line is ReLU, for comparison. Drag in either picture or use the sliders. " +
    "Take sigmoid and tanh far from 0 and watch them saturate; then choose Swish, and make β small and large.",
  build(stage) {
    const { svg, words, element } = Live;
    const { FUNCTIONS } = Activations;
    const xs = Array.from({ length: 441 }, (_, i) => (i - 220) / 40);

    function picture(y, yLabel, label, ticksY) {
      const chart = Live.chart({ height: 280, ticksX: 6, x: [-5.5, 5.5], y, xLabel: "x", yLabel, label, ticksY });
      const relu = svg("path", { fill: "none", stroke: "var(--live-quiet)", "stroke-width": 2, "stroke-dasharray": "3 5" });
      const down = svg("line", { stroke: "var(--live-quiet)", "stroke-width": 2 });
      const curve = svg("path", { fill: "none", stroke: "var(--live-one)", "stroke-width": 3 });
      const tangent = svg("path", { stroke: "var(--live-two)", "stroke-width": 3, "stroke-dasharray": "9 4" });
      const dot = svg("circle", { r: 6, fill: "var(--live-two)", stroke: "transparent", "stroke-width": 30 }); // as wide as a finger
      chart.inside.append(relu, down, curve, tangent, dot);
      Live.drag(chart.node, dot, (at) => {
        x.set(Live.clamp(Live.linear([chart.x(-5), chart.x(5)], [-5, 5])(at), [-5, 5]));
        show();
      });
      return { chart, relu, down, curve, tangent, dot };
    }

    const name = Live.choice({ label: "Function", options: Object.keys(FUNCTIONS).map((key) => [key, key]), value: "sigmoid", change: show });
    const x = Live.slider({ label: "x", min: -5, max: 5, step: 0.05, value: 0, say: (at) => words(at), change: show });
    const tenths = Array.from({ length: 21 }, (_, i) => i / 10);
    const beta = Live.slider({ label: "β", at: [...tenths, 3, 4, 5, 6, 7, 8, 9, 10, 20, 50, 100], value: 1, change: show });
    const facts = element("p"), status = Live.status();
    const value = picture([-2.2, 5.5], "value", "The function, with its tangent at x.", 4);
    const slope = picture([-0.35, 1.9], "slope", "The slope of the function at each place.", 5);

    /** A curve over the chart; where it jumps, as the slopes of ReLU and SELU do at 0, the pen is lifted. */
    function path(chart, function_) {
      const points = xs.map((at) => [at, function_(at)]);
      const jump = points.findIndex(([, y], i) => i && Math.abs(y - points[i - 1][1]) > 0.4);
      return jump < 1 || chart !== slope.chart
        ? chart.lines(points)
        : chart.lines(points.slice(0, jump)) + chart.lines(points.slice(jump));
    }

    function show() {
      const { formula, value: f, slope: g } = FUNCTIONS[name.value];
      const at = x.value, b = beta.value, y = f(at, b), rise = g(at, b);
      beta.node.hidden = name.value !== "Swish";
      for (const [{ chart, relu, curve, down, dot }, function_, flat] of [[value, f, "value"], [slope, g, "slope"]]) {
        relu.setAttribute("d", name.value === "ReLU" ? "" : path(chart, FUNCTIONS.ReLU[flat]));
        curve.setAttribute("d", path(chart, (place) => function_(place, b)));
        Live.set(down, { x1: chart.x(at), x2: chart.x(at), y1: chart.y(0), y2: chart.y(function_(at, b)) });
        Live.set(dot, { cx: chart.x(at), cy: chart.y(function_(at, b)) });
      }
      // The tangent reaches as far to either side, however steep it is.
      const reach = 2.6 / Math.hypot(1, 0.7 * rise);
      value.tangent.setAttribute("d", value.chart.lines([[at - reach, y - rise * reach], [at + reach, y + rise * reach]]));
      facts.textContent = name.value === "tanh" ? formula : `${name.value}: ${formula}`;
      status.say(`At x = ${words(at)}${name.value === "Swish" ? ` with β = ${words(b)}` : ""}, the value of ${name.value} is ${words(y)} and its slope is ${words(rise)}. ` +
        Activations.verdict(name.value, at, b));
    }

    stage.append(
      element("div", { class: "live-row" }, value.chart.node, slope.chart.node),
      element("div", { class: "live-controls" }, name.node, x.node, beta.node),
      facts, status.node);
    show();
  },
});
