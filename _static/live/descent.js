// Gradient descent by hand (chapter 7): one parameter on a loss with two valleys, and the two parameters of a line on the
// map of their loss. The start can be dragged; rate, momentum and the number of steps have sliders; the path follows.
"use strict";

const Descent = (() => {
  // ---- One parameter ----

  const landscape = (w) => w ** 4 / 4 - w ** 2 + 0.3 * w;
  const landscapeSlope = (w) => w ** 3 - 2 * w + 0.3;
  const landscapeCurvature = (w) => 3 * w ** 2 - 2;

  /** The places that gradient descent visits, the start among them. */
  function descend(rate, steps, w = 2.2, momentum = 0) {
    const path = [w];
    for (let step = 0, velocity = 0; step < steps; step++) {
      velocity = momentum * velocity - rate * landscapeSlope(w);
      w = w + velocity;
      path.push(w);
    }
    return path;
  }

  // ---- Two parameters: a line through four points ----

  const x = [0, 1, 2, 3];
  const y = [1, 1.5, 3.5, 4];
  const mean = (numbers) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;

  const lineLoss = (w, b) => mean(x.map((_, i) => (w * x[i] + b - y[i]) ** 2));
  const lineSlopes = (w, b) => {
    const errors = x.map((_, i) => w * x[i] + b - y[i]);
    return [mean(errors.map((error, i) => 2 * error * x[i])), mean(errors.map((error) => 2 * error))];
  };

  function walk(rate, momentum = 0, steps = 30, place = [-0.5, 2.5]) {
    const path = [place];
    for (let step = 0, velocity = [0, 0]; step < steps; step++) {
      const slopes = lineSlopes(...place);
      velocity = velocity.map((v, i) => momentum * v - rate * slopes[i]);
      place = place.map((p, i) => p + velocity[i]);
      path.push(place);
    }
    return path;
  }

  // The loss of a line is a bowl: its curvature is the same everywhere, and its rings are ellipses.
  const curvature = { ww: 2 * mean(x.map((value) => value ** 2)), wb: 2 * mean(x), bb: 2 };
  const determinant = curvature.ww * curvature.bb - curvature.wb ** 2;
  const lowest = (() => {
    const [w, b] = lineSlopes(0, 0);
    return [(curvature.wb * b - curvature.bb * w) / determinant, (curvature.wb * w - curvature.ww * b) / determinant];
  })();
  const leastLoss = lineLoss(...lowest);
  const steepest = (() => {
    const half = (curvature.ww + curvature.bb) / 2;
    return half + Math.sqrt(half ** 2 - determinant);
  })();

  /** The rate above which the swings across the valley grow. */
  const largestRate = (momentum = 0) => (2 * (1 + momentum)) / steepest;

  /** Places around the lowest one where the loss has this value. */
  function ring(level, count = 90) {
    const size = Math.sqrt(Math.max(0, 2 * (level - leastLoss)));
    const [p, q, r] = [Math.sqrt(curvature.ww), curvature.wb / Math.sqrt(curvature.ww), Math.sqrt(determinant / curvature.ww)];
    return Array.from({ length: count + 1 }, (_, i) => {
      const angle = (2 * Math.PI * i) / count;
      const b = (size * Math.sin(angle)) / r;
      return [lowest[0] + (size * Math.cos(angle) - q * b) / p, lowest[1] + b];
    });
  }

  // ---- Both, in words ----

  const words = Live.words;
  const counted = (steps) => `${steps} step${steps === 1 ? "" : "s"}`;

  /** The path up to its first place that is `far` away or no number at all. */
  function untilLost(path, far) {
    const lost = path.findIndex((place) => !(Math.max(...[place].flat().map(Math.abs)) <= far));
    return lost < 0 ? { path, lost: false } : { path: path.slice(0, lost + 1), lost: true };
  }

  /** The next step, and what it consists of: the plain step, and what momentum keeps of the last one. */
  function nextStep(slope, place, before, { rate, momentum }) {
    const plain = -rate * slope, kept = momentum * (place - before);
    return { plain, kept, step: plain + kept };
  }

  const cure = (momentum) => (momentum ? "Choose a smaller rate or less momentum." : "Choose a smaller rate.");

  /** What there is to see after `path.length - 1` steps of `descend`. */
  function landscapeWords(path, lost, settings) {
    const steps = path.length - 1, w = path[steps], before = path[Math.max(0, steps - 1)];
    const slope = landscapeSlope(w), { step } = nextStep(slope, w, before, settings);
    const side = (number) => (number > 0 ? "right" : "left");
    if (lost) {
      return `After ${steps} steps, w is ${words(w)} and the loss ${words(landscape(w))}: the path has left the picture. ` +
        `The farther out, the steeper the slope, and the larger the next step. ${cure(settings.momentum)}`;
    }
    if (Math.abs(slope) < 0.05 && Math.abs(w - before) < 0.02 && Math.abs(step) < 0.02) {
      if (landscapeCurvature(w) < 0) return "The slope is nearly 0, but this is the top of the hill. Move the start a little to either side.";
      return w > 0
        ? "The slope is nearly 0: the path has settled in the shallow valley. The deep one is behind the hill, and no slope here says so."
        : "The slope is nearly 0: the path has settled in the deep valley, where the loss is lowest.";
    }
    const grows = `The slope is ${words(slope)}, so the loss grows to the ${side(slope)}`;
    if (steps === 0) return `${grows}, and the first step goes ${side(step)}.`;
    if (step * slope > 0) return `${grows}, but momentum carries w on to the ${side(step)}.`;
    if (slope * landscapeSlope(before) < 0 && landscapeCurvature(w) < 0) return `The last step went over the top of the hill, and the next one goes ${side(step)}.`;
    if (slope * landscapeSlope(before) < 0) return `The slope has changed its sign: the last step went across. The next one goes ${side(step)}.`;
    if (steps >= 5 && Math.abs(w - path[0]) < 0.5) {
      return `${steps} steps have moved w by only ${words(Math.abs(w - path[0]), 2)}. It’s going the right way, but it would take a long time to get there.`;
    }
    return `${grows}, and the next step goes ${side(step)}.`;
  }

  /** What there is to see after `path.length - 1` steps of `walk`. */
  function valleyWords(path, settings) {
    const steps = path.length - 1, place = path[steps], before = path[Math.max(0, steps - 1)];
    const slopes = lineSlopes(...place), loss = lineLoss(...place);
    const last = place.map((p, i) => p - before[i]);
    const earlier = steps > 1 ? before.map((p, i) => p - path[steps - 2][i]) : [0, 0];
    const away = Math.hypot(place[0] - lowest[0], place[1] - lowest[1]);
    if (away < 0.1 && Math.hypot(...last) < 0.1) {
      return `Both slopes are nearly 0: the path has all but reached the star, where w = ${words(lowest[0])} and b = ${words(lowest[1])} make the line that fits best.`;
    }
    if (steps > 0 && settings.rate > largestRate(settings.momentum)) {
      return `The swings grow: after ${counted(steps)} the loss is ${words(loss)}, and it was ${words(lineLoss(...path[0]))} at the start. ` +
        `With rates above ${words(largestRate(settings.momentum))}, each step across lands higher on the other wall. Choose a smaller rate.`;
    }
    if (steps === 0) {
      const way = slopes.map((slope) => (slope < 0 ? "grow" : "shrink"));
      const both = way[0] === way[1] ? `both should ${way[0]}` : `w should ${way[0]} and b should ${way[1]}`;
      return `Here the slope of w is ${words(slopes[0])} and that of b is ${words(slopes[1])}, so ${both}.`;
    }
    if (last[0] * earlier[0] + last[1] * earlier[1] < 0) {
      return "The last two steps go in opposite directions: the path bounces from wall to wall.";
    }
    if (settings.momentum === 0 && steps >= 5 && Math.hypot(...last) < 0.06) {
      return `On the valley floor the slopes are small, and so are the steps. The star is still ${words(away, 2)} away.`;
    }
    const losses = path.map((one) => lineLoss(...one)), closest = losses.indexOf(Math.min(...losses));
    if (settings.momentum > 0 && closest < steps) {
      return `The loss was lowest after ${counted(closest)}, at ${words(losses[closest])}: momentum has carried the path past that place, and the slopes pull it back.`;
    }
    if (settings.momentum > 0 && steps > 1) {
      return `Each step keeps ${words(settings.momentum)} of the one before: steps that agree add up, and steps that contradict each other cancel. The star is still ${words(away, 2)} away.`;
    }
    return "Each step goes straight downhill, at right angles to the ring it starts on.";
  }

  return {
    landscape, landscapeSlope, descend, x, y, lineLoss, lineSlopes, walk, lowest, leastLoss, largestRate, ring,
    counted, untilLost, nextStep, landscapeWords, valleyWords,
  };
})();

// ---- The figures ----

/**
 * What both figures have: the runs of the text as buttons, a slider for each part of the start, for rate, momentum and the
 * number of steps, the buttons to play, a table and a sentence. `show(path, lost, settings)` draws, and returns the table's
 * rows and the sentence.
 */
function liveDescent(stage, { chart, beside = [], starts, rates, runs, first = 0, most, follow, show, toPlace }) {
  const { element, slider, button, player, status } = Live;
  const settings = { start: starts.map(({ value }) => value), rate: 0, momentum: 0, steps: 0 };
  let path = [], lost = false;

  const sliders = {
    start: starts.map((options, i) => slider({ step: 0.05, ...options, change: (value) => { settings.start[i] = value; draw(); } })),
    rate: slider({ label: "rate", ...rates, value: runs[0].rate, change: (value) => { settings.rate = value; draw(); } }),
    momentum: slider({ label: "momentum", max: 0.95, step: 0.05, value: 0, change: (value) => { settings.momentum = value; draw(); } }),
    steps: slider({ label: "steps", max: most, step: 1, value: 0, say: String, change: (value) => { settings.steps = value; draw(); } }),
  };
  const buttons = runs.map(({ name, ...run }) => button(name, () => { playing.stop(); choose(run); }));
  const numbers = element("table", { class: "live-numbers" });
  const sentence = status();
  const playing = player({
    begin: () => { if (settings.steps >= path.length - 1) settings.steps = 0; }, // what has ended begins again
    step: () => {
      settings.steps = Math.min(settings.steps + 1, path.length - 1);
      draw();
      return settings.steps < path.length - 1;
    },
    reset: () => { settings.steps = 0; draw(); },
    most,
  });

  function choose(run) {
    Object.assign(settings, { start: starts.map(({ value }) => value) }, run);
    draw();
  }

  function draw() {
    ({ path, lost } = follow(settings));
    const shown = path.slice(0, settings.steps + 1);
    sliders.start.forEach((one, i) => one.set(settings.start[i]));
    for (const name of ["rate", "momentum"]) sliders[name].set(settings[name]);
    sliders.steps.set(shown.length - 1);
    buttons.forEach((one, i) => {
      const same = ["rate", "momentum", "steps"].every((name) => settings[name] === runs[i][name]) &&
        starts.every(({ value }, j) => settings.start[j] === value);
      one.setAttribute("aria-pressed", String(same));
    });
    const { head, rows, words } = show(shown, lost && shown.length === path.length, settings);
    numbers.replaceChildren(
      ...(head ? [element("tr", {}, element("td"), ...head.map((text) => element("th", { scope: "col" }, text)))] : []),
      ...rows.map(([name, ...values]) => element("tr", {}, element("th", { scope: "row" }, name), ...values.map((text) => element("td", {}, text)))));
    sentence.say(words);
  }

  Live.drag(chart.node, chart.handle, (...place) => {
    settings.start = toPlace(...place).map((value, i) => Number(Live.clamp(value, [starts[i].min, starts[i].max]).toFixed(2)));
    draw();
  });
  stage.append(
    element("div", { class: "live-controls live-runs", role: "group", "aria-label": "Runs from the text" }, ...buttons),
    element("div", { class: "live-row" },
      element("div", {}, chart.node, playing.node, sentence.node),
      element("div", { class: "live-aside" }, ...beside,
        element("div", { class: "live-stack" }, ...[...sliders.start, sliders.rate, sliders.momentum, sliders.steps].map(({ node }) => node)),
        numbers)));
  const { name, ...run } = runs[first];
  choose(run);
}

/** Where on an edge of the picture something is that lies outside it, or null. */
function outside(chart, x, y) {
  const [left, right, top, bottom] = [chart.x(chart.ranges.x[0]), chart.x(chart.ranges.x[1]), chart.y(chart.ranges.y[1]), chart.y(chart.ranges.y[0])];
  const place = [Live.clamp(chart.x(x), [left, right]), Live.clamp(chart.y(y), [top, bottom])];
  if (place[0] === chart.x(x) && place[1] === chart.y(y)) return null;
  const middle = [(left + right) / 2, (top + bottom) / 2];
  const length = Math.hypot(place[0] - middle[0], place[1] - middle[1]);
  return { to: place, from: place.map((c, i) => c - (24 * (c - middle[i])) / length) };
}

/** A path and its points, the last of them large; an arrow at the edge when that one is out of the picture. */
function drawPath(chart, points) {
  const { svg } = Live, last = points.at(-1), edge = outside(chart, ...last);
  const drawn = [svg("path", { d: chart.lines(points), fill: "none", stroke: "var(--live-one)", "stroke-width": 2 })];
  for (const [x, y] of points.slice(0, -1).filter((point) => !outside(chart, ...point))) {
    drawn.push(svg("circle", { cx: chart.x(x), cy: chart.y(y), r: 3.5, fill: "var(--live-one)" }));
  }
  drawn.push(edge
    ? Live.arrow(edge.from, edge.to, { head: 14, style: "color: var(--live-one)" })
    : svg("circle", { cx: chart.x(last[0]), cy: chart.y(last[1]), r: 7, fill: "var(--live-one)", stroke: "var(--pst-color-background)", "stroke-width": 2 }));
  return drawn;
}

/** The square at the start, with room around it for a finger. */
function startHandle(chart) {
  const { svg } = Live;
  const square = svg("rect", { x: -6, y: -6, width: 12, height: 12, fill: "var(--live-two)", stroke: "var(--pst-color-background)", "stroke-width": 2 });
  const label = svg("text", {}, "start");
  const handle = svg("g", { class: "live-start" }, svg("circle", { r: 24, fill: "transparent" }), square, label);
  chart.inside.after(handle);
  return Object.assign(handle, {
    /** Move it; the label goes to a side ("left", "right") or above. */
    put(x, y, side) {
      handle.setAttribute("transform", `translate(${chart.x(x)} ${chart.y(y)})`);
      Live.set(label, { left: { x: -12, y: 4, "text-anchor": "end" }, right: { x: 12, y: 4, "text-anchor": "start" }, above: { x: 0, y: -12, "text-anchor": "middle" } }[side]);
    },
  });
}

const withRanges = (options) => Object.assign(Live.chart(options), { ranges: options });

Live.figure("fig-landscape", {
  caption: "Gradient descent with one parameter; the buttons are the three runs of the text. Drag the start, change the rate, or press Start over " +
    "and go step by step: the straight line on the curve shows the slope, and the arrow the next step. Can you reach the deep valley? " +
    "(Momentum is explained with the next figure.)",
  build(stage) {
    const { svg, words } = Live;
    const { landscape, landscapeSlope, descend, counted, untilLost, nextStep, landscapeWords } = Descent;
    const chart = withRanges({ height: 290, x: [-3.2, 3.2], y: [-2.4, 6.5], xLabel: "w", yLabel: "loss", ticksX: 6, ticksY: 5 });
    const curve = Array.from({ length: 201 }, (_, i) => -3.2 + (6.4 * i) / 200).map((w) => [w, landscape(w)]);
    chart.inside.before(
      svg("path", { d: chart.lines(curve), fill: "none", stroke: "var(--live-quiet)", "stroke-width": 2.5, "clip-path": chart.inside.getAttribute("clip-path") }),
      svg("text", { x: chart.x(-1.48), y: chart.y(-2.1), "text-anchor": "middle", class: "live-halo" }, "deep"),
      svg("text", { x: chart.x(1.33), y: chart.y(-1.7), "text-anchor": "middle" }, "shallow"));
    chart.handle = startHandle(chart);

    function show(path, lost, settings) {
      const k = path.length - 1, w = path[k], slope = landscapeSlope(w);
      const { plain, kept, step } = nextStep(slope, w, path[Math.max(0, k - 1)], settings);
      chart.handle.put(path[0], landscape(path[0]), path[0] > 0 ? "right" : "left");
      const drawn = drawPath(chart, path.map((place) => [place, landscape(place)]));
      if (!lost) {
        const here = [chart.x(w), chart.y(landscape(w))];
        const along = [chart.x(1) - chart.x(0), slope * (chart.y(1) - chart.y(0))].map((c, _, all) => (36 * c) / Math.hypot(...all));
        drawn.unshift(svg("line", {
          x1: here[0] - along[0], y1: here[1] - along[1], x2: here[0] + along[0], y2: here[1] + along[1],
          stroke: "var(--live-two)", "stroke-width": 2.5,
        }));
        const there = [chart.x(w + step), here[1]];
        if (Math.abs(there[0] - here[0]) > 14) drawn.unshift(Live.arrow(here, there, { style: "color: var(--live-two)" }));
      }
      chart.inside.replaceChildren(...drawn);
      const sentence = landscapeWords(path, lost, settings);
      Live.set(chart.node, { "aria-label": `A curve with two valleys, and ${counted(k)} of gradient descent from ${words(path[0])} to ${words(w)}.` });
      return {
        rows: [
          ["w", words(w)],
          ["loss", words(landscape(w))],
          ["slope", words(slope)],
          ...(settings.momentum ? [["−rate × slope", words(plain)], ["momentum × last step", words(kept)]] : []),
          [settings.momentum ? "next step" : "next step, −rate × slope", words(step)],
        ],
        words: sentence,
      };
    }

    liveDescent(stage, {
      chart, show, most: 40,
      runs: [
        { name: "0.01: too small", rate: 0.01, momentum: 0, steps: 8 },
        { name: "0.1: about right", rate: 0.1, momentum: 0, steps: 8 },
        { name: "0.75: too large", rate: 0.75, momentum: 0, steps: 3 },
      ],
      first: 1,
      starts: [{ label: "start", min: -2.7, max: 2.6, value: 2.2 }],
      rates: { at: [0.003, 0.01, 0.03, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.75, 1] },
      follow: ({ start, rate, momentum }) => untilLost(descend(rate, 40, start[0], momentum), 100),
      toPlace: (x) => [Live.linear([chart.x(-3.2), chart.x(3.2)], [-3.2, 3.2])(x)],
    });
  },
});

Live.figure("fig-valley", {
  caption: "The loss of a line as a map: each ring connects pairs of w and b with the same loss, and the dotted ring is the one that the path has reached. The line that w and b make is drawn with its four points. " +
    "The buttons are the three runs of the text, from left to right. Drag the start, change rate and momentum, or press Start over and go step by step: " +
    "which is the largest rate that still arrives at the star?",
  build(stage) {
    const { svg, words } = Live;
    const { x, y, lineLoss, lineSlopes, walk, lowest, largestRate, ring, counted, untilLost, nextStep, valleyWords } = Descent;
    const map = withRanges({ height: 359, x: [-1.1, 2.3], y: [-0.4, 3.1], xLabel: "w", yLabel: "b" });
    const clip = map.inside.getAttribute("clip-path");
    const outline = (level, attributes) => svg("path", { d: map.lines(ring(level)), fill: "none", "clip-path": clip, ...attributes });
    const star = Array.from({ length: 10 }, (_, i) => (i % 2 ? 4 : 10)).map((radius, i) => [radius * Math.sin((Math.PI * i) / 5), -radius * Math.cos((Math.PI * i) / 5)]);
    map.inside.before(
      ...[0.15, 0.3, 0.6, 1.2, 2.4, 4.8, 9.6].map((level) => outline(level, { stroke: "var(--live-quiet)", "stroke-width": 2, opacity: 0.55 })),
      svg("polygon", {
        points: star.map(([dx, dy]) => `${(map.x(lowest[0]) + dx).toFixed(1)},${(map.y(lowest[1]) + dy).toFixed(1)}`).join(" "),
        fill: "var(--pst-color-text-base)",
      }));
    map.handle = startHandle(map);

    const data = withRanges({ height: 200, x: [-0.4, 3.4], y: [-0.5, 5.5], xLabel: "x", yLabel: "y" });

    function show(path, lost, settings) {
      const k = path.length - 1, [w, b] = path[k], slopes = lineSlopes(w, b), loss = lineLoss(w, b);
      const before = path[Math.max(0, k - 1)];
      const next = [w, b].map((place, i) => nextStep(slopes[i], place, before[i], settings));
      map.handle.put(...path[0], "above");
      const drawn = drawPath(map, path);
      const at = (place) => [map.x(place[0]), map.y(place[1])];
      const far = (from, to) => Math.hypot(to[0] - from[0], to[1] - from[1]) > 5;
      if (!outside(map, w, b)) {
        drawn.unshift(outline(loss, { stroke: "var(--live-two)", "stroke-width": 2, "stroke-dasharray": "2 4" }));
        const here = at([w, b]), kept = at([w + next[0].kept, b + next[1].kept]), there = at([w + next[0].step, b + next[1].step]);
        if (far(here, kept)) {
          drawn.unshift(svg("line", { x1: here[0], y1: here[1], x2: kept[0], y2: kept[1], stroke: "var(--live-two)", "stroke-width": 2, "stroke-dasharray": "5 3" }));
        }
        if (far(kept, there)) {
          drawn.unshift(Live.arrow(kept, there, { style: "color: var(--live-two)" }));
        }
      }
      map.inside.replaceChildren(...drawn);

      const line = (value) => w * value + b;
      data.inside.replaceChildren(
        ...x.map((value, i) => svg("line", {
          x1: data.x(value), x2: data.x(value), y1: data.y(y[i]), y2: Live.clamp(data.y(line(value)), [-1e4, 1e4]),
          stroke: "var(--live-two)", "stroke-width": 2, "stroke-dasharray": "2 3",
        })),
        svg("path", { d: data.lines([-0.4, 3.4].map((value) => [value, line(value)])), stroke: "var(--live-one)", "stroke-width": 3 }),
        ...x.map((value, i) => svg("circle", { cx: data.x(value), cy: data.y(y[i]), r: 5, fill: "var(--pst-color-text-base)" })));
      Live.set(map.node, { "aria-label": `A map of nested ellipses, and ${counted(k)} from w ${words(path[0][0])}, b ${words(path[0][1])} to w ${words(w)}, b ${words(b)}.` });
      Live.set(data.node, { "aria-label": `Four points and the line y = ${words(w)} x ${b < 0 ? "−" : "+"} ${words(Math.abs(b))}.` });
      return {
        head: ["w", "b"],
        rows: [
          [`after ${counted(k)}, loss ${words(loss)}`, words(w), words(b)],
          ["slope", ...slopes.map((slope) => words(slope))],
          ...(settings.momentum
            ? [["−rate × slope", ...next.map(({ plain }) => words(plain))], ["momentum × last step", ...next.map(({ kept }) => words(kept))]]
            : []),
          [settings.momentum ? "next step" : "next step, −rate × slope", ...next.map(({ step }) => words(step))],
        ],
        words: valleyWords(path, settings),
      };
    }

    liveDescent(stage, {
      chart: map, beside: [data.node], show, most: 60,
      runs: [
        { name: "rate 0.02", rate: 0.02, momentum: 0, steps: 30 },
        { name: "rate 0.22", rate: 0.22, momentum: 0, steps: 30 },
        { name: "rate 0.02, momentum 0.9", rate: 0.02, momentum: 0.9, steps: 30 },
      ],
      starts: [
        { label: "start w", min: -1, max: 2.2, value: -0.5 },
        { label: "start b", min: -0.3, max: 3, value: 2.5 },
      ],
      rates: { min: 0.01, max: 0.3, step: 0.01 },
      follow: ({ start, rate, momentum }) => untilLost(walk(rate, momentum, 60, start), 1000),
      toPlace: (px, py) => [
        Live.linear([map.x(-1.1), map.x(2.3)], [-1.1, 2.3])(px),
        Live.linear([map.y(-0.4), map.y(3.1)], [-0.4, 3.1])(py),
      ],
    });
  },
});
