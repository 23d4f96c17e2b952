// The page "Draw a digit": the book's network, run in the browser.
// First pure functions, as in mnist_code: NETWORK -> params, ink -> image, image -> logits. Then the page.
"use strict";

const Digit = (() => {
  const SIDE = 28, BOX = 20; // pixels along an image, and along the box that the digit fits into

  // ---- Parameters: the reverse of mnist_code/browser.py ----

  const places = new Map(Array.from(NETWORK.alphabet, (character, place) => [character, place]));
  const bytes = (text) => Array.from(text, (character) => places.get(character));
  const integer = (place) => (place % 2 ? -(place + 1) / 2 : place / 2);

  /** Weights of one unit; inputs that are not named have weight 0. */
  function unpack(row, step, inputs, count) {
    const weights = new Float32Array(count);
    bytes(row).forEach((place, i) => { weights[inputs[i]] = integer(place) * step; });
    return weights;
  }
  let count = SIDE * SIDE; // inputs of the layer
  const params = NETWORK.layers.map(({ inputs, rows, steps, biases }) => {
    const weights = rows.map((row, i) => unpack(row, steps[i], inputs, count));
    count = biases.length;
    return { weights, biases };
  });
  const samples = NETWORK.samples.map(({ label, pixels }) => ({
    label,
    image: Float32Array.from(bytes(pixels), (byte) => byte / 255),
  }));

  // ---- The network: mnist_code/model.py ----

  const dense = ({ weights, biases }, x) =>
    weights.map((row, i) => row.reduce((sum, weight, j) => sum + weight * x[j], biases[i]));
  const swish = (z) => z / (1 + Math.exp(-z));

  /** What every layer gives: an image of 784 numbers from 0 to 1, the hidden layer's, the logits. */
  function activations(image) {
    const layers = [image];
    params.forEach((layer, i) => {
      const z = dense(layer, layers[i]);
      layers.push(i < params.length - 1 ? z.map(swish) : z);
    });
    return layers;
  }

  const predict = (image) => activations(image).at(-1);

  function softmax(logits) {
    const largest = Math.max(...logits);
    const powers = logits.map((z) => Math.exp(z - largest));
    const total = powers.reduce((a, b) => a + b);
    return powers.map((power) => power / total);
  }

  // ---- MNIST's form: fit_box of mnist_code/images.py ----

  /** Reduce rows of numbers to `count` as Pillow does: each new number a weighted mean of old ones. */
  function resample(rows, count) {
    const scale = rows.length / count, stretch = Math.max(scale, 1);
    const cubic = (x) => { // Keys's, with a = -1/2
      x = Math.abs(x);
      return x < 1 ? (1.5 * x - 2.5) * x * x + 1 : x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
    };
    return Array.from({ length: count }, (_, i) => {
      const center = (i + 0.5) * scale;
      const first = Math.max(0, Math.floor(center - 2 * stretch + 0.5));
      const last = Math.min(rows.length, Math.floor(center + 2 * stretch + 0.5));
      const near = rows.slice(first, last);
      const weights = near.map((_, j) => cubic((first + j + 0.5 - center) / stretch));
      const total = weights.reduce((a, b) => a + b, 0);
      return near[0].map((_, x) => near.reduce((sum, row, j) => sum + weights[j] * row[x], 0) / total);
    });
  }

  const transpose = (rows) => rows[0].map((_, x) => rows.map((row) => row[x]));
  const largestOf = (rows) => rows.reduce((most, row) => row.reduce((a, b) => Math.max(a, b), most), 0);
  const clamp = (x, low, high) => Math.min(Math.max(x, low), high);

  /** Fit ink (rows of numbers, 0 where there is none) into the box, centered by mass; null without ink. */
  function fitBox(ink) {
    const inked = (row) => row.some((value) => value > 0);
    const edges = (rows) => [rows.findIndex(inked), rows.findLastIndex(inked) + 1];
    const [top, bottom] = edges(ink);
    if (top < 0) return null;
    const [left, right] = edges(transpose(ink));
    const cut = ink.slice(top, bottom).map((row) => row.slice(left, right));
    const scale = BOX / Math.max(bottom - top, right - left);
    const size = (length) => Math.max(1, Math.round(length * scale));
    const darkest = largestOf(cut);
    let small = cut.map((row) => row.map((value) => value / darkest));
    small = transpose(resample(transpose(small), size(right - left)));
    small = resample(small, size(bottom - top)).map((row) => row.map((value) => Math.max(value, 0)));
    const most = largestOf(small);
    let mass = 0, y = 0, x = 0;
    small.forEach((row, i) => row.forEach((value, j) => { mass += value; y += value * i; x += value * j; }));
    const place = (center, length) => clamp(Math.round((SIDE - 1) / 2 - center / mass), 0, SIDE - length);
    const firstRow = place(y, small.length), firstColumn = place(x, small[0].length);
    const image = new Float32Array(SIDE * SIDE);
    small.forEach((row, i) => row.forEach((value, j) => {
      image[(firstRow + i) * SIDE + firstColumn + j] = Math.round((value / most) * 255) / 255;
    }));
    return image;
  }

  /** The same ink only made small, wherever it stands; null without ink. */
  function shrink(ink) {
    if (largestOf(ink) === 0) return null;
    const side = ink.length / SIDE;
    return Float32Array.from({ length: SIDE * SIDE }, (_, pixel) => {
      const top = Math.floor(pixel / SIDE) * side, left = (pixel % SIDE) * side;
      let sum = 0;
      for (let y = 0; y < side; y++) for (let x = 0; x < side; x++) sum += ink[top + y][left + x];
      return sum / (side * side);
    });
  }

  return { SIDE, NETWORK, params, samples, activations, predict, softmax, fitBox, shrink };
})();

// ---- The page ----

document.addEventListener("DOMContentLoaded", () => {
  const { SIDE, params, samples } = Digit;
  const page = document.getElementById("draw");
  const find = (name) => page.querySelector(`[data-draw="${name}"]`);
  const pad = find("pad"), pen = pad.getContext("2d", { willReadFrequently: true });
  const PEN = pad.width * 0.085;

  function element(parent, tag, properties = {}, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    parent.append(made);
    return made;
  }

  /** Paint numbers as an image of `columns`, each in the color (red, green, blue) that `color` gives it. */
  function paint(canvas, values, columns, color) {
    canvas.width = columns;
    canvas.height = values.length / columns;
    const pixels = new ImageData(canvas.width, canvas.height);
    values.forEach((value, i) => pixels.data.set([...color(value), 255], 4 * i));
    canvas.getContext("2d").putImageData(pixels, 0, 0);
  }
  const gray = (value) => Array(3).fill(255 * value);
  /** Orange for above 0, blue for below, black for 0; `most` is as bright as it gets. */
  const signed = (most) => (value) => {
    const part = Math.min(Math.abs(value) / most, 1);
    return (value > 0 ? [255, 150, 60] : [80, 170, 255]).map((channel) => channel * part);
  };

  // The parts that are the same ten or six times are made here.
  const bars = Array.from({ length: 10 }, (_, digit) => {
    const row = element(find("bars"), "tr");
    element(row, "th", { scope: "row", textContent: digit });
    const bar = element(element(row, "td"), "span", { className: "bar" });
    return { row, bar, text: element(row, "td") };
  });
  const units = Array.from({ length: 6 }, () => {
    const figure = element(find("units"), "figure");
    return { canvas: element(figure, "canvas"), text: element(figure, "figcaption") };
  });
  for (const { label, image } of samples) {
    const name = `Sample: ${label === 8 ? "an" : "a"} ${label}`;
    const button = element(find("samples"), "button", { type: "button", title: name, ariaLabel: name });
    paint(element(button, "canvas"), image, SIDE, gray);
    button.addEventListener("click", () => { show(image); look(); });
  }
  const { dataset, images, right, right_in_8_bits } = Digit.NETWORK.facts;
  document.querySelector("[data-draw-facts]").textContent =
    `Of ${images.toLocaleString("en")} test images of ${dataset === "mnist" ? "MNIST" : dataset}, this network gets ` +
    `${right.toLocaleString("en")} right as trained, and ${right_in_8_bits.toLocaleString("en")} after rounding to 8 bits.`;

  // Drawing: white ink on black, as in MNIST.
  let sampled = false; // the pad shows a sample, which the first stroke wipes away
  function clear() {
    sampled = false;
    pen.clearRect(0, 0, pad.width, pad.height);
  }
  function show(image) {
    clear();
    const small = document.createElement("canvas");
    paint(small, image, SIDE, gray);
    pen.imageSmoothingEnabled = true;
    pen.drawImage(small, 0, 0, pad.width, pad.height);
    sampled = true;
  }
  /** How white each pixel of the pad is, 0 to 1, as rows. */
  function ink() {
    const { data } = pen.getImageData(0, 0, pad.width, pad.height);
    return Array.from({ length: pad.height }, (_, y) =>
      Array.from({ length: pad.width }, (_, x) => {
        const i = 4 * (y * pad.width + x);
        return (data[i] * data[i + 3]) / (255 * 255);
      }));
  }
  let last = null; // where the pen was
  function position(event) {
    const box = pad.getBoundingClientRect();
    return [((event.clientX - box.left) * pad.width) / box.width, ((event.clientY - box.top) * pad.height) / box.height];
  }
  function stroke(event) {
    if (!last) return;
    Object.assign(pen, { strokeStyle: "white", lineWidth: PEN, lineCap: "round", lineJoin: "round" });
    pen.beginPath();
    pen.moveTo(...last);
    // The browser may have seen the pen at several places since the last event.
    for (const seen of [...(event.getCoalescedEvents?.() ?? []), event]) pen.lineTo(...(last = position(seen)));
    pen.stroke();
    lookSoon();
  }
  pad.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    pad.setPointerCapture(event.pointerId);
    if (sampled) clear();
    last = position(event);
    stroke(event);
  });
  pad.addEventListener("pointermove", stroke);
  for (const end of ["pointerup", "pointercancel"]) {
    pad.addEventListener(end, () => { if (last) { last = null; look(); } });
  }
  find("clear").addEventListener("click", () => { clear(); look(); });
  find("box").addEventListener("change", look);

  // Looking: at most once for each frame while the pen moves.
  let waiting = false;
  function lookSoon() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; look(); });
  }

  /** Ask the network what stands on the pad, and show its answer; returns the answer, or null. */
  function look() {
    const image = find("box").checked ? Digit.fitBox(ink()) : Digit.shrink(ink());
    paint(find("seen"), image ?? new Float32Array(SIDE * SIDE), SIDE, gray);
    const [, hidden, logits] = Digit.activations(image ?? new Float32Array(SIDE * SIDE));
    const chances = image ? Digit.softmax(logits) : logits.map(() => 0);
    const answer = chances.indexOf(Math.max(...chances));
    chances.forEach((chance, digit) => {
      const { row, bar, text } = bars[digit];
      row.className = image && digit === answer ? "answer" : "";
      bar.style.width = `${100 * chance}%`;
      text.textContent = image ? `${(100 * chance).toFixed(1)}%` : "";
    });
    const words = image ? `${answer === 8 ? "An" : "A"} ${answer}, with a probability of ${(100 * chances[answer]).toFixed(1)}%.` : "Nothing is drawn yet.";
    if (!last && find("answer").textContent !== words) find("answer").textContent = words; // said aloud between strokes
    find("digit").textContent = image ? answer : "?";

    paint(find("hidden"), image ? hidden : hidden.map(() => 0), 64, signed(Math.max(...hidden, 1)));
    const output = params.at(-1).weights[answer];
    const share = hidden.map((value, unit) => value * output[unit]);
    const first = share.map((_, unit) => unit).sort((a, b) => share[b] - share[a]);
    units.forEach(({ canvas, text }, i) => {
      const weights = params[0].weights[first[i]];
      paint(canvas, image ? weights : weights.map(() => 0), SIDE, signed(0.5 * Math.max(...weights.map(Math.abs))));
      text.textContent = image ? `unit ${first[i]}: +${share[first[i]].toFixed(1)}` : "";
    });
    find("why").textContent = image ? `What the six units that add most to the logit of ${answer} look for, and how much each adds:` : "";
    return image && { answer, image };
  }
  Object.assign(Digit, { pad, pen, clear, look });
  show(samples[7].image);
  look();
});
