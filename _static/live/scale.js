// Ten layers at a scale of your choice: how the activations of chapter 4 vanish, hold, or explode. The weights are the
// chapter's own, number for number: its key, drawn by Threefry as JAX draws. One draw serves every scale.
"use strict";

const Scale = (() => {
  const DEPTH = 10, WIDTH = 512;
  const LECUN = WIDTH ** -0.5, HE = (2 / WIDTH) ** 0.5;

  // ---- Random numbers, as in jax.random ----

  const ROTATIONS = [[13, 15, 26, 6], [17, 29, 16, 24]];

  /** Threefry with 20 rounds: for each of the positions 0 to n − 1, the two words that a key gives it. */
  function threefry([a, b], n) {
    const keys = [a, b, a ^ b ^ 0x1bd11bda], words = new Uint32Array(2 * n);
    for (let position = 0; position < n; position++) {
      let x = a | 0, y = (position + b) | 0;
      for (let group = 0; group < 5; group++) {
        const rotations = ROTATIONS[group % 2];
        for (let i = 0; i < 4; i++) {
          const turn = rotations[i];
          x = (x + y) | 0;
          y = ((y << turn) | (y >>> (32 - turn))) ^ x;
        }
        x = (x + keys[(group + 1) % 3]) | 0;
        y = (y + keys[(group + 2) % 3] + group + 1) | 0;
      }
      words[2 * position] = x;
      words[2 * position + 1] = y;
    }
    return words;
  }

  const key = (seed) => [0, seed];

  /** `n` new keys from one. */
  function split(one, n) {
    const words = threefry(one, n);
    return Array.from({ length: n }, (_, i) => [words[2 * i], words[2 * i + 1]]);
  }

  // The inverse of the error function by Giles's polynomials for float32, the highest power first.
  const NEAR = [2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 0.00021858087, -0.00125372503, -0.00417768164, 0.246640727, 1.50140941];
  const FAR = [-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047, 1.00167406, 2.83297682];
  function erfInv(x) {
    const w = -Math.log1p(-x * x), near = w < 5;
    const powers = near ? NEAR : FAR, t = near ? w - 2.5 : Math.sqrt(w) - 3;
    let sum = powers[0];
    for (let i = 1; i < powers.length; i++) sum = sum * t + powers[i];
    return sum * x;
  }

  const LOWEST = 2 ** -24 - 1; // the float32 next to −1

  /** `n` numbers from a normal distribution, those of `jax.random.normal`. */
  function normal(one, n) {
    const words = threefry(one, n), numbers = new Float32Array(n);
    for (let i = 0; i < n; i++) {
      const share = ((words[2 * i] ^ words[2 * i + 1]) >>> 9) * 2 ** -23; // from 0 to 1
      numbers[i] = Math.SQRT2 * erfInv(Math.max(LOWEST, Math.fround(2 * share + LOWEST)));
    }
    return numbers;
  }

  // ---- Layers ----

  const FUNCTIONS = {
    ReLU: (x) => (x > 0 ? x : 0),
    Swish: (x) => x / (1 + Math.exp(-x)),
  };

  /** What there is before any scale: an input of 512 numbers, and how to draw the weights of each layer. */
  function start(seed = 3) {
    const [inputKey, ...keys] = split(key(seed), DEPTH + 1);
    return { input: normal(inputKey, WIDTH), draws: keys.map((one) => () => normal(one, WIDTH * WIDTH)) };
  }

  /** One layer without its activation function: scale · weights @ x. */
  function product(scale, weights, x) {
    const y = new Float32Array(WIDTH);
    for (let unit = 0; unit < WIDTH; unit++) {
      let sum = 0;
      for (let i = 0, at = unit * WIDTH; i < WIDTH; i++, at++) sum += weights[at] * x[i];
      y[unit] = scale * sum;
    }
    return y;
  }

  const meanSquare = (x) => x.reduce((sum, value) => sum + value * value, 0) / x.length;
  const rms = (x) => Math.sqrt(meanSquare(x));

  /** The activations after each layer, the input first; and what share of the mean square the function kept in the last. */
  function activations(scale, name, input, weights) {
    const all = [input];
    let kept = 1;
    for (const matrix of weights) {
      const before = product(scale, matrix, all.at(-1));
      all.push(before.map(FUNCTIONS[name]));
      kept = meanSquare(all.at(-1)) / meanSquare(before);
    }
    return { all, sizes: all.map(rms), kept };
  }

  /** The share of x in each bar, 0.25 wide, around −3, −2.75, … 3; what is farther out counts in the last bars. */
  function histogram(x) {
    const shares = new Array(25).fill(0);
    for (const value of x) shares[Math.min(24, Math.max(0, Math.round(4 * value) + 12))] += 1 / x.length;
    return shares;
  }

  const MARKS = [[0.01, "0.01"], [LECUN, "LeCun"], [HE, "He"], [0.1, "0.1"]];
  /** The scales of the slider, 50 for each factor of ten, with the marks in their places. */
  const SCALES = Array.from({ length: 71 }, (_, i) => {
    const scale = 10 ** ((i - 110) / 50);
    return MARKS.map(([mark]) => mark).find((mark) => Math.abs(Math.log10(mark / scale)) < 0.01) ?? scale;
  });

  /** What has become of the numbers after ten layers, in words. */
  function verdict(name, sizes) {
    const left = sizes.at(-1) / sizes[0];
    const what = left < 1e-3 ? "The numbers have all but vanished, and so would the gradient on its way back."
      : left < 0.3 ? "The numbers are fading; a few more layers, and little would be left."
      : left <= 3 ? "The layers hold the numbers steady."
      : left < 50 ? "The numbers are growing; a few more layers, and they would be huge."
      : "The numbers have exploded, and so would the gradient on its way back.";
    return what + (name === "Swish" && left < 0.3 ? " Swish keeps only about a quarter of the mean square of small numbers, where ReLU keeps half." : "");
  }

  return { DEPTH, WIDTH, LECUN, HE, MARKS, SCALES, key, split, erfInv, normal, start, product, activations, meanSquare, rms, histogram, verdict };
})();

Live.figure("fig-scales", {
  caption: "The same random numbers, sent through ten layers of 512 units whose weights are drawn at the scale you choose. " +
    "The chart shows the root mean square (rms) after each layer, on a logarithmic axis, with the chapter’s four scales as thin lines. " +
    "The histograms show how the activations are spread; bars at the ends count everything beyond ±3, and bars above an eighth are cut off. " +
    "Look for a scale that keeps ten layers steady, first with ReLU, then with Swish.",
  build(stage) {
    const { svg, words } = Live;
    const { input, draws } = Scale.start();
    const weights = [];

    // ---- What is drawn ----

    const chart = Live.chart({
      height: 340, x: [0, 11.9], y: [1e-10, 1e5], logY: true, ticksY: 5, ticksX: 6, xLabel: "layer", yLabel: "rms of the activations",
      label: "A line chart of the root mean square of the activations, from the input to layer 10, at your scale and at the four of the chapter.",
    });
    const others = svg("g"), line = svg("path", { fill: "none", stroke: "var(--live-one)", "stroke-width": 3.5 });
    const dots = svg("g", { fill: "var(--live-one)" });
    chart.inside.append(others, line, dots);

    const rows = svg("svg", { viewBox: "0 0 360 340", role: "img", "aria-label": "Histograms of the activations, one below the other, from the input to layer 10." });
    const place = Live.linear([-3.125, 3.125], [52, 282]), rowHeight = 25.5;
    const floor = (layer) => 40 + layer * rowHeight;
    rows.append(svg("text", { x: 46, y: 12, "text-anchor": "end" }, "layer"), svg("text", { x: 352, y: 12, "text-anchor": "end" }, "rms"));
    const bars = [], numbers = [];
    for (let layer = 0; layer <= Scale.DEPTH; layer++) {
      bars.push(svg("path", { fill: "var(--live-one)" }));
      numbers.push(svg("text", { x: 352, y: floor(layer), "text-anchor": "end" }));
      rows.append(
        svg("g", { class: "live-axes" }, svg("line", { x1: 52, x2: 282, y1: floor(layer), y2: floor(layer) })),
        svg("text", { x: 46, y: floor(layer), "text-anchor": "end" }, layer ? `${layer}` : "input"), bars[layer], numbers[layer]);
    }
    for (const value of [-3, -2, -1, 0, 1, 2, 3]) {
      rows.append(svg("text", { x: place(value), y: floor(10) + 18, "text-anchor": "middle" }, words(value)));
    }
    rows.append(svg("text", { x: place(0), y: 334, "text-anchor": "middle" }, "activation"));

    // ---- Controls ----

    const named = (scale) => Scale.MARKS.find(([mark, text]) => mark === scale && text !== String(mark))?.[1];
    const slider = Live.slider({
      label: "Scale", at: Scale.SCALES, value: 0.01, change: show,
      marks: Scale.MARKS.map(([scale, text]) => [scale, text, { LeCun: "left", He: "right" }[text]]),
      say: (scale) => words(scale) + (named(scale) ? ` (${named(scale)})` : ""),
    });
    slider.node.classList.add("live-wide");
    const name = Live.choice({ label: "Activation", options: [["ReLU", "ReLU"], ["Swish", "Swish"]], change: () => { compare(); show(); } });
    const jumps = Live.element("div", { class: "live-player", role: "group", "aria-label": "Set the scale to" });
    jumps.append(...Scale.MARKS.map(([scale, text]) => Live.button(text, () => { slider.set(scale); show(); })));
    const facts = Live.element("p"), status = Live.status();

    function compare() {
      others.replaceChildren();
      for (const [scale, text] of Scale.MARKS) {
        const points = Scale.activations(scale, name.value, input, weights).sizes.map((size, layer) => [layer, size]);
        others.append(
          svg("path", { d: chart.lines(points), fill: "none", stroke: "var(--live-quiet)", "stroke-width": 2 }),
          svg("text", { x: chart.x(10.2), y: chart.y(points.at(-1)[1]) + 4 }, text));
      }
    }

    function show() {
      const scale = slider.value, { all, sizes, kept } = Scale.activations(scale, name.value, input, weights);
      line.setAttribute("d", chart.lines(sizes.map((size, layer) => [layer, size])));
      dots.replaceChildren(...sizes.map((size, layer) => svg("circle", { cx: chart.x(layer), cy: chart.y(size), r: 4 })));
      all.forEach((x, layer) => {
        const parts = Scale.histogram(x).map((share, i) => {
          const left = place((i - 12) / 4 - 0.125), height = Math.min(share / 0.125, 1) * (rowHeight - 3);
          return share ? `M${left.toFixed(1)} ${floor(layer)}v${-height.toFixed(1)}h8.6V${floor(layer)}z` : "";
        });
        bars[layer].setAttribute("d", parts.join(""));
        numbers[layer].textContent = words(sizes[layer]);
      });
      facts.textContent = `The weights of a layer multiply the mean square by 512 · s² = ${words(512 * scale ** 2)} on average. ` +
        `${name.value} keeps ${words(kept, 2)} of it in layer 10.`;
      status.say(`At scale ${slider.node.querySelector("output").textContent} with ${name.value}, an rms of ${words(sizes[0])} becomes ${words(sizes.at(-1), 2)} after ten layers. ` +
        Scale.verdict(name.value, sizes));
    }

    stage.append(
      Live.element("div", { class: "live-row" }, chart.node, rows),
      slider.node,
      Live.element("div", { class: "live-controls" }, name.node, jumps),
      facts, status.node);

    // Weights are drawn once, layer by layer, when the figure comes near: half a second of work.
    status.say("Drawing the weights of ten layers, 2,621,440 random numbers …");
    stage.setAttribute("aria-busy", "true");
    function draw() {
      weights.push(draws[weights.length]());
      if (weights.length < Scale.DEPTH) return setTimeout(draw);
      stage.removeAttribute("aria-busy");
      compare();
      show();
    }
    const near = new IntersectionObserver((seen) => {
      if (!seen.some((entry) => entry.isIntersecting)) return;
      near.disconnect();
      draw();
    }, { rootMargin: "1500px" });
    near.observe(stage);
  },
});
