// The page "Draw a digit": the book's network, run in the browser.
// First pure functions, as in mnist_code: NETWORK -> params, ink -> image, image -> logits. Then the page. (images.js fits
// a drawing into the box; canvas.js has the square to draw in.)
"use strict";

const Digit = (() => {
  const { SIDE } = Images;

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

  // ---- MNIST's form ----

  const scaled = (bytes) => bytes && Images.scaled(bytes);
  const fitBox = (ink) => scaled(Images.fitBox(ink)); // null without ink

  /** The same ink only made small, wherever it stands; null without ink. */
  function shrink(ink) {
    if (!ink.some((row) => row.some((value) => value > 0))) return null;
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
  const { paint, gray, signed } = Canvas;
  const pad = Canvas.pad(find("pad"), () => look());

  function element(parent, tag, properties = {}, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    parent.append(made);
    return made;
  }

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
    button.addEventListener("click", () => { pad.show(image, SIDE); look(); });
  }
  const { dataset, images, right, right_in_8_bits } = Digit.NETWORK.facts;
  document.querySelector("[data-draw-facts]").textContent =
    `Of ${images.toLocaleString("en")} test images of ${dataset === "mnist" ? "MNIST" : dataset}, this network gets ` +
    `${right.toLocaleString("en")} right as trained, and ${right_in_8_bits.toLocaleString("en")} after rounding to 8 bits.`;

  find("clear").addEventListener("click", () => { pad.clear(); look(); });
  find("box").addEventListener("change", look);

  /** Ask the network what stands on the pad, and show its answer; returns the answer, or null. */
  function look() {
    const image = find("box").checked ? Digit.fitBox(pad.ink()) : Digit.shrink(pad.ink());
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
    if (!pad.drawing && find("answer").textContent !== words) find("answer").textContent = words; // said aloud between strokes
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
  Object.assign(Digit, { pad: find("pad"), pen: pad.pen, clear: pad.clear, look });
  pad.show(samples[7].image, SIDE);
  look();
});
