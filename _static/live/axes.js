// Chapter 6's live figure of the axes that `vmap` maps: which slices meet, where the answers go, and what JAX says when
// the axes don't fit. Arrays are lists of rows, as in Python. The figure computes what it shows and knows JAX's messages.
"use strict";

const Axes = (() => {
  // ---- Arrays ----

  const shape = (x) => (Array.isArray(x) ? [x.length, ...shape(x[0])] : []);
  const transpose = (x) => x[0].map((_, column) => x.map((row) => row[column]));

  /** A shape, a list or an axis as Python writes it: (3, 4), (4,) or None. */
  const tuple = (lengths) => (lengths.length === 1 ? `(${lengths[0]},)` : `(${lengths.join(", ")})`);
  const axisName = (axis) => (axis === null ? "None" : String(axis));

  /** Entry `i` of an array along an axis. */
  const take = (x, axis, i) => (axis === 0 ? x[i] : x.map((row) => row[i]));

  /** How a program writes that slice: images[:, 2]. */
  function sliceName(name, x, axis, i) {
    if (axis === null) return name;
    const places = shape(x).map((_, place) => (place === axis ? i : ":"));
    return `${name}[${places.join(", ")}]`;
  }

  /** `a @ b`, or the words in which JAX refuses. */
  function matmul(a, b) {
    if (!shape(b).length) throw new Error("ValueError: matmul input operand 1 must have ndim at least 1, but it has ndim 0");
    const [last, first] = [shape(a).at(-1), shape(b)[0]];
    if (last !== first) {
      throw new Error(`TypeError: dot_general requires contracting dimensions to have the same shape, got (${last},) and (${first},).`);
    }
    if (Array.isArray(a[0])) return a.map((row) => matmul(row, b));
    if (Array.isArray(b[0])) return transpose(b).map((column) => matmul(a, column));
    return a.reduce((sum, entry, i) => sum + entry * b[i], 0);
  }

  /** The function for one image. Its argument's name is the one that JAX's messages use. */
  const linear = (weights, image) => matmul(weights, image);
  const NAMES = ["weights", "image"];

  // ---- vmap ----

  /** How many examples the arguments hold, or why `vmap` can't tell. */
  function axisSize(inAxes, xs) {
    const mapped = inAxes.map((axis, place) => ({ axis, name: NAMES[place], shape: shape(xs[place]) })).filter(({ axis }) => axis !== null);
    if (!mapped.length) throw new Error("ValueError: vmap must have at least one non-None value in in_axes or axis_size must be specified");
    for (const { axis, shape } of mapped) {
      if (axis >= shape.length) {
        throw new Error(`ValueError: vmap was requested to map its argument along axis ${axis}, which implies that its rank should be at least ${axis + 1}, but is only ${shape.length} (its shape is ${tuple(shape)})`);
      }
    }
    const sizes = mapped.map(({ axis, shape }) => shape[axis]);
    if (sizes.some((size) => size !== sizes[0])) {
      const lines = mapped.map(({ axis, name, shape }, place) => `  * one axis had size ${sizes[place]}: axis ${axis} of argument ${name} of type float32[${shape}]`);
      throw new Error(`ValueError: vmap got inconsistent sizes for array axes to be mapped:\n${lines.join(";\n")}`);
    }
    return sizes[0];
  }

  /** A function of many examples from a function of one. (JAX computes all answers at once; the results are the same.) */
  const vmap = (f, inAxes, outAxes = 0) => (...xs) => {
    const size = axisSize(inAxes, xs);
    const answers = Array.from({ length: size }, (_, i) => f(...xs.map((x, place) => (inAxes[place] === null ? x : take(x, inAxes[place], i)))));
    const rank = shape(answers).length;
    if (outAxes >= rank) throw new Error(`ValueError: axis ${outAxes} is out of bounds for array of dimension ${rank}`);
    return outAxes === 0 ? answers : transpose(answers);
  };

  // ---- The arrays to choose from ----

  const units = (count) => Array.from({ length: count }, (_, i) => [0, 1, 2, 3].map((j) => ((3 * i + 2 * j + i * j) % 5) - 2));
  const pictures = (count) => Array.from({ length: count }, (_, i) => [0, 1, 2, 3].map((j) => (3 * i + 2 * j + i * j) % 7));

  const WEIGHTS = {
    "3 units in rows": units(3),
    "5 units in rows": units(5),
    "3 units in columns": transpose(units(3)),
  };
  const IMAGES = {
    "5 images in columns": transpose(pictures(5)),
    "5 images in rows": pictures(5),
    "3 images in columns": transpose(pictures(3)),
    "3 images in rows": pictures(3),
    "a single image": pictures(1)[0],
  };

  /** Everything the figure shows of one choice: the result or an error, and how many steps there are to look at. */
  function outcome(weights, images, inAxes, outAxes) {
    const xs = [weights, images];
    const lengths = xs.map((x, place) => (inAxes[place] === null ? 0 : shape(x)[inAxes[place]] ?? 0));
    const shown = { code: `jax.vmap(linear, in_axes=(${inAxes.map(axisName).join(", ")}), out_axes=${outAxes})(weights, images)`, steps: Math.max(...lengths) };
    try {
      return { ...shown, result: vmap(linear, inAxes, outAxes)(...xs), error: null };
    } catch (error) {
      return { ...shown, result: null, error: error.message };
    }
  }

  /** What meets at example `i`, in a line of Python and in words. */
  function meeting(weights, images, inAxes, outAxes, i) {
    const xs = [weights, images], names = ["weights", "images"];
    const { result, error, steps } = outcome(weights, images, inAxes, outAxes);
    const lacks = xs.findIndex((x, place) => inAxes[place] !== null && inAxes[place] >= shape(x).length);
    if (lacks >= 0) return { line: "", words: `An array of shape ${tuple(shape(xs[lacks]))} has no axis ${inAxes[lacks]}.` };
    if (!steps) return { line: "", words: "Nothing is mapped, so nothing says how many examples there are." };
    const short = xs.findIndex((x, place) => inAxes[place] !== null && i >= shape(x)[inAxes[place]]);
    if (short >= 0) return { line: "", words: `Example ${i}: along axis ${inAxes[short]}, ${names[short]} has only ${shape(xs[short])[inAxes[short]]} slices, so there’s none for this example.` };

    const slices = xs.map((x, place) => (inAxes[place] === null ? x : take(x, inAxes[place], i)));
    const call = xs.map((x, place) => sliceName(names[place], x, inAxes[place], i)).join(" @ ");
    const shapes = slices.map((slice) => tuple(shape(slice))).join(" @ ");
    if (result) {
      const answer = shape(take(result, outAxes, i)), put = sliceName("result", result, outAxes, i);
      const given = answer.length ? `${tuple(answer)}, which goes into ${put}` : `a single number, ${put}`;
      const together = inAxes.includes(null) ? "" : " Both arguments are mapped, so they advance together, and no other pair is computed.";
      return { line: `${put} = ${call}`, words: `Example ${i}: ${shapes} gives ${given}.${together}` };
    }
    if (error.includes("out of bounds")) return { line: call, words: `Example ${i} gives a single number. So the result has only one axis, and there’s no axis ${outAxes} to put the examples on.` };
    if (error.includes("inconsistent")) return { line: call, words: `Example ${i} would be ${shapes}, but not every example has a slice of both arrays.` };
    return { line: call, words: `Example ${i} would be ${shapes}, and that doesn’t fit.` };
  }

  return { shape, transpose, tuple, take, sliceName, matmul, linear, vmap, WEIGHTS, IMAGES, outcome, meeting };
})();

// ---- The figure ----

Live.figure("fig-vmap-axes", {
  caption: "Choose the arrays and the axes. Colored entries belong to the same example; an argument with None is shared, so all of it is colored. Move through the examples with the slider, or point at a slice. (JAX computes all of them at once.) What happens when both entries of in_axes are 0, as when you leave it out?",
  build(stage) {
    const CELL = 27;
    const names = ["weights", "images"];
    let example = 2;

    const options = (arrays) => Object.entries(arrays).map(([text, x]) => [x, `${Axes.tuple(Axes.shape(x))}, ${text}`]);
    const inOptions = [[null, "None"], [0, "0"], [1, "1"]];
    const arrays = [
      Live.choice({ label: "weights", options: options(Axes.WEIGHTS), change: draw }),
      Live.choice({ label: "images", options: options(Axes.IMAGES), change: draw }),
    ];
    const inAxes = names.map((name, place) => Live.choice({ label: `in_axes of ${name}`, options: inOptions, value: place ? 1 : null, change: draw }));
    const outAxes = Live.choice({ label: "out_axes", options: inOptions.slice(1), value: 0, change: draw });
    const slider = Live.slider({ label: "Example", min: 0, max: 4, step: 1, value: example, say: (i) => `number ${i}`, change: (i) => { example = i; draw(); } });
    const input = slider.node.querySelector("input");

    const code = Live.element("pre", { class: "live-code" });
    const before = Live.svg("svg", { role: "img" }), after = Live.svg("svg", { role: "img" });
    const error = Live.element("pre", { class: "live-code", role: "group", "aria-label": "JAX's message" });
    const line = Live.element("pre", { class: "live-code" });
    const words = Live.element("p", { class: "live-said live-lines", role: "status" });
    const controls = (...nodes) => Live.element("div", { class: "live-controls" }, ...nodes.map(({ node }) => node));
    stage.append(
      controls(...arrays), controls(...inAxes, outAxes), code,
      Live.element("div", { class: "live-row" }, before, Live.element("div", {}, after, error)),
      controls(slider), line, words);

    /** Draw an array at (left, top), its slice `i` along `axis` colored; a tap on another slice chooses that one. */
    function grid(x, { name, left, top, axis, i, color, note }) {
      const lengths = Axes.shape(x), rows = lengths.length === 2 ? x : [x];
      const [height, width] = [rows.length, rows[0].length];
      const group = Live.svg("g", { "aria-hidden": "true" });
      const text = (x, y, content, more = {}) => Live.svg("text", { x, y, "text-anchor": "middle", ...more }, content);
      const middle = left + (width * CELL) / 2;
      group.append(
        Live.svg("text", { x: left, y: top - 26, "font-weight": "bold" }, `${name} ${Axes.tuple(lengths)}`),
        text(middle, top - 6, lengths.length === 2 ? "axis 1 →" : "axis 0 →", { class: "live-axis" }));
      if (lengths.length === 2) {
        const y = top + (height * CELL) / 2;
        group.append(text(left - 7, y, "← axis 0", { class: "live-axis", transform: `rotate(-90 ${left - 7} ${y})` }));
      }
      const index = (row, column) => (lengths.length === 1 || axis === 1 ? column : row);
      rows.forEach((entries, row) => entries.forEach((entry, column) => {
        const on = axis === null || (axis < lengths.length && index(row, column) === i);
        const cell = Live.svg("g", { class: on ? "live-cell live-on" : "live-cell" },
          Live.svg("rect", { x: left + column * CELL, y: top + row * CELL, width: CELL, height: CELL, style: `--cell: var(${color})` }),
          text(left + (column + 0.5) * CELL, top + (row + 0.5) * CELL + 4.5, Live.words(entry)));
        if (axis !== null) Live.set(cell, { cursor: "pointer", pointerdown: () => point(index(row, column)), pointerenter: ({ buttons }) => buttons && point(index(row, column)) });
        group.append(cell);
      }));
      const length = axis === null ? 0 : lengths[axis] ?? 0;
      if (axis === null || i < length) {
        const [w, h] = axis === null ? [width, height] : lengths.length === 1 || axis === 1 ? [1, height] : [width, 1];
        const [x0, y0] = axis === null ? [0, 0] : lengths.length === 1 || axis === 1 ? [i, 0] : [0, i];
        group.append(Live.svg("rect", { class: "live-slice", x: left + x0 * CELL, y: top + y0 * CELL, width: w * CELL, height: h * CELL, style: `--cell: var(${color})` }));
      }
      group.append(text(middle, top + height * CELL + 18, note));
      return group;
    }

    function point(i) {
      if (i === example) return;
      example = i;
      draw();
    }
    function draw() {
      const xs = arrays.map(({ value }) => value), axes = inAxes.map(({ value }) => value), out = outAxes.value;
      const { code: call, result, error: message, steps } = Axes.outcome(...xs, axes, out);
      example = Live.clamp(example, [0, Math.max(0, steps - 1)]);
      Live.set(input, { max: Math.max(0, steps - 1) });
      input.disabled = !steps;
      slider.set(example);
      if (!steps) slider.node.querySelector("output").textContent = "none";

      code.textContent = `def linear(weights, image):\n    return weights @ image\n\n${call}`;
      const box = (...arrays) => `0 0 330 ${44 + Math.max(...arrays.map((x) => (Array.isArray(x[0]) ? x.length : 1))) * CELL + 26}`;
      const note = (axis) => (axis === null ? "shared" : `mapped: axis ${axis}`);
      Live.set(before, { viewBox: box(...xs), "aria-label": `${names.map((name, place) => `${name} of shape ${Axes.tuple(Axes.shape(xs[place]))}, ${note(axes[place])}`).join("; ")}.` });
      before.replaceChildren(...xs.map((x, place) => grid(x, {
        name: names[place], left: place ? 184 : 22, top: 44, axis: axes[place], i: example, color: place ? "--live-one" : "--live-two", note: note(axes[place]) })));
      Live.set(after, { viewBox: box(result ?? [0]), style: result ? null : "display: none", "aria-label": result ? `result of shape ${Axes.tuple(Axes.shape(result))}` : "" });
      after.replaceChildren(...(result ? [grid(result, { name: "result", left: 22, top: 44, axis: out, i: example, color: "--pst-color-success", note: `examples: axis ${out}` })] : []));
      error.hidden = !message;
      error.textContent = message ?? "";
      const met = Axes.meeting(...xs, axes, out, example);
      line.textContent = met.line;
      line.hidden = !met.line;
      words.textContent = met.words;
    }
    draw();
  },
});
