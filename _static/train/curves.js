// How a run went, as two curves: the loss, and how many of the digits are right.
"use strict";

const Curves = (() => {
  const MOST = 600; // points of a curve; with more, each pair is replaced by its mean

  /** Half as many points: the mean of each pair. */
  function thin(points) {
    const half = [];
    for (let i = 0; i + 1 < points.length; i += 2) {
      half.push(points[i].map((value, axis) => (value + points[i + 1][axis]) / 2));
    }
    if (points.length % 2) half.push(points.at(-1)); // the newest stays as it is
    return half;
  }

  /** A curve with new points at its end. Where an epoch began again, they replace what was there. */
  function extend(points, more) {
    const kept = more.length ? points.filter(([x]) => x < more[0][0]) : points;
    const all = [...kept, ...more];
    return all.length > MOST ? thin(all) : all;
  }

  /** The next of 1, 2, 2.5, 5, 10, 20, 25, 50, ... that is at least x. */
  function roundUp(x) {
    const ten = 10 ** Math.floor(Math.log10(x));
    return [1, 2, 2.5, 5, 10].map((m) => Number((m * ten).toPrecision(2))).find((m) => m >= x * 0.999999);
  }

  /** What chapter 8 works out by hand: the loss of a network that knows nothing, and of a perfect one. */
  function knownLosses(kind, batchSize) {
    if (kind === "correct") return [{ value: Math.log(10), name: "knows nothing: ln 10" }];
    return [
      { value: Math.log(10 * batchSize) / 10, name: `knows nothing: ln(${10 * batchSize})/10` },
      { value: Math.log(batchSize) / 10, name: `perfect: ln(${batchSize})/10` },
    ];
  }

  /** The ends of the axes for the loss, and whether it needs powers of ten. */
  function lossAxes(points, known) {
    const values = points.map(([, y]) => y).filter((y) => y > 0 && Number.isFinite(y));
    const most = Math.max(...values, ...known.map(({ value }) => value));
    const x = [0, roundUp(Math.max(5, points.at(-1)?.[0] ?? 0))];
    if (most > 50) return { x, y: [0.1, 10 ** Math.ceil(Math.log10(most))], logY: true };
    const steps = [0.7, 1, 1.5, 2.6, 5, 10, 20, 50];
    return { x, y: [0, steps.find((top) => top >= most * 1.1) ?? 50], logY: false };
  }

  /** A chart in `place` that is drawn anew only when its axes change. `layers` draws what stands behind the curves. */
  function drawing(place, options) {
    let chart = null, drawn = "";
    return (axes, key, layers, curves) => {
      const wanted = JSON.stringify([axes, key]);
      if (wanted !== drawn) {
        drawn = wanted;
        chart = Live.chart({ width: 380, height: 240, ...options, ...axes });
        layers(chart);
        chart.curves = curves.map(({ name }) => Live.svg("path", { class: `train-curve ${name}` }));
        chart.inside.append(...chart.curves);
        place.replaceChildren(chart.node);
      }
      curves.forEach(({ points }, i) => chart.curves[i].setAttribute("d", chart.lines(points)));
    };
  }

  /** The chart of the loss: `draw(points, kind, batchSize)`. */
  function lossChart(place) {
    const draw = drawing(place, { xLabel: "epoch", yLabel: "loss (nats)", label: "The loss from epoch to epoch" });
    return (points, kind, batchSize) => {
      const known = knownLosses(kind, batchSize), axes = lossAxes(points, known);
      const behind = (chart) => {
        const [left, right] = axes.x.map(chart.x);
        for (const { value, name } of known) {
          chart.inside.append(
            Live.svg("line", { class: "train-known", x1: left, x2: right, y1: chart.y(value), y2: chart.y(value) }),
            Live.svg("text", { x: right - 4, y: chart.y(value) + (name.startsWith("perfect") && value > 0 ? 15 : -5), "text-anchor": "end" }, name));
        }
      };
      draw(axes, [kind, batchSize], behind, [{ name: "loss", points }]);
    };
  }

  /** The chart of what is right: `draw(scores)`, each [epoch, share of the training images, share of the test images]. */
  function scoreChart(place) {
    const draw = drawing(place, { xLabel: "epoch", yLabel: "right (%)", label: "How many of the digits are right, from epoch to epoch" });
    const column = (scores, i) => scores.map((score) => [score[0], 100 * score[i]]);
    return (scores, epoch) => draw(
      { x: [0, roundUp(Math.max(5, epoch))], y: [0, 100] }, [], () => {},
      [{ name: "train", points: column(scores, 1) }, { name: "test", points: column(scores, 2) }]);
  }

  return { thin, extend, roundUp, knownLosses, lossAxes, lossChart, scoreChart };
})();
