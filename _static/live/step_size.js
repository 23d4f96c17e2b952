// The central difference of chapter 8 on a loss whose slope is known, in float32 and float64, and its two errors:
// truncation, because the loss is curved, and rounding, because numbers have gaps.
"use strict";

const StepSize = (() => {
  const float32 = Math.fround, float64 = (x) => x;
  const TYPES = { float32, float64 };

  // The loss of one image whose ten logits are all 0, when the logit of a wrong digit moves to 20x: ln(9 + e^(20x)).
  const TIMES = 20, SLOPE = TIMES / 10;

  /** That loss, rounded to a number of the type after every operation. */
  const loss = (x, round = float64) => round(Math.log(round(9 + round(Math.exp(round(TIMES * round(x)))))));

  /** loss(x) − loss(0), to all the digits of float64 even where x is tiny. */
  const change = (x) => Math.log1p(Math.expm1(TIMES * x) / 10);

  /** The distance from the loss at 0, ln 10, to the next number of the type. */
  const GAP = { float32: 2 ** -22, float64: 2 ** -51 };

  /**
   * One central difference at 0: the difference of two losses, the slope it gives, and how far that is off the true one,
   * as a share of it. The share is what truncation does, which exact arithmetic would show, plus what rounding does.
   */
  function compare(h, type) {
    const round = TYPES[type];
    const step = round(h), difference = round(loss(step, round) - loss(-step, round));
    const slope = difference / (2 * step);
    const exact = (change(step) - change(-step)) / (2 * step);
    return { difference, slope, error: slope / SLOPE - 1, truncation: exact / SLOPE - 1, rounding: (slope - exact) / SLOPE };
  }

  const STEPS = Array.from({ length: 19 }, (_, i) => 10 ** (-(i + 2) / 2));

  const percent = (share) => {
    const size = Math.abs(share);
    return size >= 1e-6 ? `${Number((100 * size).toPrecision(2))}%` : `${Live.words(100 * size, 2)}%`;
  };
  const signed = (share) => (share > 0 ? "+" : share < 0 ? "−" : "") + percent(share);

  /** Which of the two errors it is, in words. */
  function verdict(h, type) {
    const { difference, truncation, rounding } = compare(h, type);
    const [curve, gaps] = [Math.abs(truncation), Math.abs(rounding)];
    if (difference === 0) return "the two losses are rounded to the same number, and nothing is left of the slope";
    if (curve > 5 * gaps) return "nearly all truncation: the loss is curved, and a smaller step would help";
    if (gaps > 5 * curve) return "nearly all rounding: the two losses share most of their digits";
    return "truncation and rounding are about equal, so this is about the best step";
  }

  return { TIMES, SLOPE, GAP, STEPS, TYPES, loss, change, compare, percent, signed, verdict };
})();

Live.figure("fig-gradient-check", {
  caption: "The same check on a loss whose slope we know: ln(9 + e²⁰ˣ) at x = 0, where it is ln 10 and its slope is exactly 2. " +
    "It’s the loss of one image whose ten logits are all 0, when the logit of a wrong digit moves to 20x. The printed figure does this with the loss of the network and " +
    "all 407,050 parameters; the 20 makes our curve bend enough for the best steps to come out about the same. " +
    "Shrink h, and watch first the curve straighten and then the float32 numbers fall apart into steps.",
  build(stage) {
    const { svg, words, element } = Live;
    const { STEPS, GAP } = StepSize;
    const powers = (h) => {
      const digits = Math.round(-2 * Math.log10(h));
      return digits % 2 ? `3.2e−${(digits + 1) / 2}` : `1e−${digits / 2}`;
    };
    const looks = {
      float32: { stroke: "var(--live-one)" },
      float64: { stroke: "var(--live-two)", "stroke-dasharray": "8 4" },
    };
    const pen = (look) => svg("path", { fill: "none", "stroke-width": 3, ...look });

    // ---- The errors of all steps ----

    const errors = Live.chart({
      height: 300, x: [5e-11, 2e-1], y: [1e-12, 10], logX: true, logY: true, xLabel: "step size h", yLabel: "relative error", ticksY: 7,
      label: "The relative error of the difference against the step size, both logarithmic, for float32 and float64. Both fall as h shrinks, then rise.",
    });
    const line = pen({ stroke: "var(--live-quiet)", "stroke-dasharray": "2 4", "stroke-width": 2 });
    line.setAttribute("d", errors.lines([1e-1, 1e-6].map((h) => [h, 48 * h * h])));
    const here = svg("line", { stroke: "var(--live-quiet)", "stroke-width": 2, y1: errors.y(10), y2: errors.y(1e-12) });
    errors.inside.append(line, here, svg("text", { x: errors.x(8e-6), y: errors.y(4e-8) }, "h²"));
    const dots = {};
    for (const [type, look] of Object.entries(looks)) {
      const curve = pen(look);
      curve.setAttribute("d", errors.lines(STEPS.map((h) => [h, Math.max(Math.abs(StepSize.compare(h, type).error), 1e-12)])));
      dots[type] = svg("circle", { r: 6, fill: look.stroke });
      errors.inside.append(curve, dots[type]);
    }
    errors.inside.append(
      svg("text", { x: errors.x(1.5e-7), y: errors.y(1.2) }, "float32"),
      svg("text", { x: errors.x(2e-10), y: errors.y(1.5e-11) }, "float64"));

    // ---- The loss around 0, from −1.5h to 1.5h: as wide and as high as h makes it ----

    const near = svg("svg", { viewBox: "0 0 360 300", role: "img", "aria-label": "The loss close to 0, in float32 and float64, with the two points of the difference and the line between them." });
    const placeX = Live.linear([-1.5, 1.5], [20, 340]);
    const axes = svg("g", { class: "live-axes" });
    for (const side of [-1, 0, 1]) {
      axes.append(
        svg("line", { x1: placeX(side), x2: placeX(side), y1: 30, y2: 258 }),
        svg("text", { x: placeX(side), y: 274, "text-anchor": "middle" }, ["−h", "0", "h"][side + 1]));
    }
    const high = svg("text", { x: 20, y: 18 });
    const wide = pen(looks.float64), narrow = pen(looks.float32), slopes = pen({ stroke: "var(--live-quiet)", "stroke-width": 2 });
    const truth = pen({ stroke: "var(--live-quiet)", "stroke-width": 2, "stroke-dasharray": "2 4" });
    const legend = svg("g");
    for (const [i, [look, text]] of [[looks.float32, "float32"], [looks.float64, "float64"],
      [{ stroke: "var(--live-quiet)", "stroke-width": 2 }, "slope found"], [{ stroke: "var(--live-quiet)", "stroke-width": 2, "stroke-dasharray": "2 4" }, "slope 2"]].entries()) {
      const sample = pen(look);
      sample.setAttribute("d", `M34 ${54 + 18 * i}h30`);
      legend.append(sample, svg("text", { x: 72, y: 58 + 18 * i }, text));
    }
    const ends = [svg("circle", { r: 6, fill: "var(--live-one)" }), svg("circle", { r: 6, fill: "var(--live-one)" })];
    const foot = svg("text", { x: 180, y: 294, "text-anchor": "middle" });
    near.append(axes, high, legend, slopes, truth, narrow, wide, ...ends, foot);

    // ---- Controls and numbers ----

    const slider = Live.slider({ label: "h", at: [...STEPS].reverse(), value: STEPS[4], say: powers, change: show });
    slider.node.classList.add("live-wide");
    const player = Live.player({
      every: 600,
      begin: () => { if (slider.value === STEPS.at(-1)) slider.set(STEPS[0]); }, // what has ended begins again
      step() {
        const next = STEPS.indexOf(slider.value) + 1;
        if (next < STEPS.length) slider.set(STEPS[next]);
        show();
        return next < STEPS.length - 1;
      },
      reset() { slider.set(STEPS[0]); show(); },
    });
    const cells = {};
    const lines = [["slope", "slope found"], ["truncation", "off by truncation"], ["rounding", "off by rounding"], ["error", "off in all"]];
    const table = element("table", { class: "live-table" },
      element("thead", {}, element("tr", {}, element("td"), ...Object.keys(looks).map((type) => element("th", { scope: "col" }, type)))),
      element("tbody", {}, ...lines.map(([key, text]) => element("tr", {}, element("th", { scope: "row" }, text),
        ...Object.keys(looks).map((type) => (cells[key + type] = element("td")))))));
    const status = Live.status();

    function show() {
      const h = slider.value, gap = GAP.float32;
      for (const type of Object.keys(looks)) {
        const found = StepSize.compare(h, type);
        Live.set(dots[type], { cx: errors.x(h), cy: errors.y(Math.max(Math.abs(found.error), 1e-12)) });
        cells[`slope${type}`].textContent = words(found.slope, 6);
        for (const key of ["error", "truncation", "rounding"]) {
          cells[key + type].textContent = StepSize.signed(found[key]);
        }
      }
      Live.set(here, { x1: errors.x(h), x2: errors.x(h) });

      // What the computer sees: the loss, minus ln 10, at many places between −1.5h and 1.5h.
      const shares = Array.from({ length: 241 }, (_, i) => (i - 120) / 80);
      const seen = (share) => StepSize.loss(share * h, Math.fround) - Math.LN10;
      const [left, right] = [seen(-1), seen(1)], middle = (left + right) / 2, rise = (right - left) / 2;
      const found = [[-1.5, middle - 1.5 * rise], [1.5, middle + 1.5 * rise]];
      const tangent = [-1.5, 1.5].map((share) => [share, StepSize.SLOPE * share * h]);
      const all = [...found, ...tangent].map(([, y]) => y).concat(shares.flatMap((share) => [StepSize.change(share * h), seen(share)]));
      const low = Math.min(...all, -gap), top = Math.max(...all, gap);
      const placeY = Live.linear([low, top], [248, 40]);
      const draw = (points) => points.map(([a, b], i) => `${i ? "L" : "M"}${placeX(a).toFixed(1)} ${placeY(b).toFixed(1)}`).join("");
      wide.setAttribute("d", draw(shares.map((share) => [share, StepSize.change(share * h)])));
      narrow.setAttribute("d", draw(shares.map((share) => [share, seen(share)])));
      slopes.setAttribute("d", draw(found));
      truth.setAttribute("d", draw(tangent));
      Live.set(ends[0], { cx: placeX(-1), cy: placeY(left) });
      Live.set(ends[1], { cx: placeX(1), cy: placeY(right) });
      high.textContent = `loss − ln 10, from ${words(low)} to ${words(top)}`;
      foot.textContent = `x, with h = ${powers(h)}`;

      const narrowed = StepSize.compare(h, "float32");
      const steps = Math.round(narrowed.difference / gap), wanted = (4 * h) / gap;
      const counted = wanted < 1000 ? ` The two losses are ${steps} ${steps === 1 ? "gap" : "gaps"} of 2.4e−7 apart where ${words(wanted)} would be right.` : "";
      const stop = (text) => (text.startsWith("nearly") ? "," : ":"); // the others are sentences of their own
      const [reason, other] = ["float32", "float64"].map((type) => StepSize.verdict(h, type));
      status.say(`h = ${powers(h)}. In float32 the slope is off by ${StepSize.percent(narrowed.error)}${stop(reason)} ${reason}.${counted} ` +
        `In float64 it is off by ${StepSize.percent(StepSize.compare(h, "float64").error)}${other === reason ? ", for the same reason" : `${stop(other)} ${other}`}.`);
    }

    stage.append(
      element("div", { class: "live-row" }, errors.node, near),
      slider.node,
      element("div", { class: "live-controls" }, player.node),
      element("div", { class: "live-row" }, table, status.node));
    show();
  },
});
