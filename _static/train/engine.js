// The network, and how it learns: what mnist_code/model.py, learning.py and evaluation.py do, without JAX. The slopes come
// from the reverse pass of chapter 7, written out for two layers. Pixels without ink are skipped, since 0 times anything is 0.
//
// Parameters are a list of pairs [weights, biases], weights row by row, one row for each unit. Numbers are stored in 32 bits,
// as in JAX, and added up in 64. A batch is a list of places in the set of images.
"use strict";

/** Everything in one function, whose source a worker can be made from. */
function makeEngine() {
  const PIXELS = 784, CLASSES = 10;

  // ---- Random numbers: each function takes a seed and gives the same numbers for it, always ----

  /** The seed for what has this number: chapter 4's `fold_in`. */
  function foldIn(seed, number) {
    let bits = (seed ^ Math.imul(number + 1, 0x9e3779b1)) >>> 0;
    bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
    bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
    return (bits ^ (bits >>> 16)) >>> 0;
  }

  /** A stream of numbers from 0 up to 1. (Mulberry32, by Tommy Ettinger) */
  function uniform(seed) {
    let state = seed | 0;
    return () => {
      state = (state + 0x6d2b79f5) | 0;
      let bits = Math.imul(state ^ (state >>> 15), 1 | state);
      bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
      return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
    };
  }

  /** Normally distributed numbers. (Box and Muller, 1958) */
  function normal(seed, count, scale) {
    const next = uniform(seed);
    return Float32Array.from({ length: count }, () =>
      scale * Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()));
  }

  /** The places from 0 to `count - 1` in a random order. */
  function permutation(seed, count) {
    const next = uniform(seed), order = Uint32Array.from({ length: count }, (_, i) => i);
    for (let i = count - 1; i > 0; i--) {
      const j = Math.floor(next() * (i + 1));
      [order[i], order[j]] = [order[j], order[i]];
    }
    return order;
  }

  // ---- Parameters ----

  /** Draw initial parameters: a pair for each layer of `sizes`, all with one standard deviation. */
  function initNetworkParams(seed, sizes, scale) {
    return sizes.slice(1).map((units, layer) => [
      normal(foldIn(seed, 2 * layer), units * sizes[layer], scale),
      normal(foldIn(seed, 2 * layer + 1), units, scale),
    ]);
  }

  /** The same function of each array and its counterparts in other trees: chapter 4's `jax.tree.map`. */
  const treeMap = (f, tree, ...others) =>
    tree.map((pair, i) => pair.map((leaf, j) => f(leaf, ...others.map((other) => other[i][j]))));

  const zerosLike = (params) => treeMap((leaf) => new Float32Array(leaf.length), params);
  const copy = (params) => treeMap((leaf) => leaf.slice(), params);
  const isFinite = (params) => params.flat().every((leaf) => leaf.every(Number.isFinite));

  // ---- Images, as lists of the pixels that hold ink ----

  /** Image i has ink `values[k]` at `pixels[k]`, for k from `first[i]` up to `first[i + 1]`. Ink is from 0 to 1. */
  function inked(images) {
    const count = images.length / PIXELS, first = new Uint32Array(count + 1), pixels = [], values = [];
    images.forEach((ink, k) => {
      if (ink > 0) {
        pixels.push(k % PIXELS);
        values.push(ink);
      }
      first[Math.floor(k / PIXELS) + 1] = pixels.length;
    });
    return { first, pixels: Uint16Array.from(pixels), values: Float32Array.from(values) };
  }

  // ---- Activation functions and their slopes (chapter 5) ----

  const sigmoid = (z) => 1 / (1 + Math.exp(-z));
  const ACTIVATIONS = {
    swish: { value: (z) => z * sigmoid(z), slope: (z) => sigmoid(z) * (1 + z * sigmoid(-z)) },
    relu: { value: (z) => Math.max(z, 0), slope: (z) => (z > 0 ? 1 : 0) },
    tanh: { value: Math.tanh, slope: (z) => 1 - Math.tanh(z) ** 2 },
    sigmoid: { value: sigmoid, slope: (z) => sigmoid(z) * sigmoid(-z) },
  };

  // ---- Forward: values (chapter 5) ----

  /** What the hidden units get from a batch: weights times ink, plus biases. [batch, units] */
  function firstLayer([weights, biases], { first, pixels, values }, batch) {
    const units = biases.length, z = new Float32Array(batch.length * units);
    for (let unit = 0; unit < units; unit += 4) { // four units at a time, so that each pixel is fetched once for four
      const at = [0, 1, 2, 3].map((i) => Math.min(unit + i, units - 1)); // the last four may overlap
      const [row0, row1, row2, row3] = at.map((i) => i * PIXELS);
      for (let b = 0; b < batch.length; b++) {
        let sum0 = biases[at[0]], sum1 = biases[at[1]], sum2 = biases[at[2]], sum3 = biases[at[3]];
        for (let k = first[batch[b]], end = first[batch[b] + 1]; k < end; k++) {
          const pixel = pixels[k], ink = values[k];
          sum0 += weights[row0 + pixel] * ink;
          sum1 += weights[row1 + pixel] * ink;
          sum2 += weights[row2 + pixel] * ink;
          sum3 += weights[row3 + pixel] * ink;
        }
        const place = b * units;
        z[place + at[0]] = sum0;
        z[place + at[1]] = sum1;
        z[place + at[2]] = sum2;
        z[place + at[3]] = sum3;
      }
    }
    return z;
  }

  /** The ten logits of each image: weights times hidden values, plus biases. [batch, 10] */
  function lastLayer([weights, biases], hidden) {
    const units = weights.length / CLASSES, count = hidden.length / units;
    const logits = new Float32Array(count * CLASSES);
    for (let b = 0; b < count; b++) {
      for (let c = 0; c < CLASSES; c++) {
        let sum = biases[c];
        for (let unit = 0; unit < units; unit++) sum += weights[c * units + unit] * hidden[b * units + unit];
        logits[b * CLASSES + c] = sum;
      }
    }
    return logits;
  }

  /** The logits of a batch. */
  function batchedPredict(params, images, batch, activation = "swish") {
    const z = firstLayer(params[0], images, batch);
    return lastLayer(params[1], z.map(ACTIVATIONS[activation].value));
  }

  /** The logits of one image, 784 numbers from 0 to 1. */
  const predict = (params, image, activation = "swish") => batchedPredict(params, inked(image), [0], activation);

  /** ln of the sum of exponentials, without overflow (chapter 5). */
  function logSumExp(logits) {
    const largest = logits.reduce((a, b) => Math.max(a, b));
    return largest + Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - largest), 0));
  }

  function softmax(logits) {
    const total = logSumExp(logits);
    return Float64Array.from(logits, (logit) => Math.exp(logit - total));
  }

  // ---- Losses, each with its slopes at the logits (chapters 7 and 8) ----

  const LOSSES = {
    /** Cross-entropy, each image by itself: softmax minus target, divided by the number of images. */
    correct(logits, labels) {
      const slopes = new Float32Array(logits.length);
      let value = 0;
      labels.forEach((label, b) => {
        const row = logits.subarray(b * CLASSES, (b + 1) * CLASSES), total = logSumExp(row);
        value += (total - row[label]) / labels.length;
        row.forEach((logit, c) => {
          slopes[b * CLASSES + c] = (Math.exp(logit - total) - (c === label)) / labels.length;
        });
      });
      return { value, slopes };
    },
    /** The published one: one log-sum-exp for the whole batch, and a mean over images and classes. */
    published(logits, labels) {
      const total = logSumExp(logits), slopes = new Float32Array(logits.length);
      let value = 0;
      labels.forEach((label, b) => { value += (total - logits[b * CLASSES + label]) / logits.length; });
      logits.forEach((logit, i) => {
        const target = i % CLASSES === labels[Math.floor(i / CLASSES)] ? 1 : 0;
        slopes[i] = (Math.exp(logit - total) - target / labels.length) / CLASSES;
      });
      return { value, slopes };
    },
  };

  const labelsOf = (labels, batch) => Uint8Array.from(batch, (place) => labels[place]);

  function loss(params, images, labels, batch, { activation = "swish", loss = "correct" } = {}) {
    return LOSSES[loss](batchedPredict(params, images, batch, activation), labelsOf(labels, batch)).value;
  }

  // ---- Backward: slopes (chapter 7) ----

  /** The slopes of the last layer's weights and biases, and of the hidden values, from those of the logits. */
  function lastLayerSlopes([weights], hidden, slopes, [weightSlopes, biasSlopes]) {
    const units = weights.length / CLASSES, hiddenSlopes = new Float32Array(hidden.length);
    weightSlopes.fill(0);
    biasSlopes.fill(0);
    slopes.forEach((slope, i) => {
      const c = i % CLASSES, row = c * units, place = Math.floor(i / CLASSES) * units;
      biasSlopes[c] += slope;
      for (let unit = 0; unit < units; unit++) {
        weightSlopes[row + unit] += slope * hidden[place + unit];
        hiddenSlopes[place + unit] += slope * weights[row + unit];
      }
    });
    return hiddenSlopes;
  }

  /** A batch's ink the other way around: for each pixel the images that have ink there, and how much. */
  function byPixel({ first, pixels, values }, batch) {
    const start = new Uint32Array(PIXELS + 2), ks = [];
    batch.forEach((image) => {
      for (let k = first[image]; k < first[image + 1]; k++) start[pixels[k] + 2]++;
    });
    for (let pixel = 0; pixel < PIXELS; pixel++) start[pixel + 2] += start[pixel + 1];
    const places = new Uint32Array(start[PIXELS + 1]), ink = new Float32Array(start[PIXELS + 1]);
    batch.forEach((image, b) => {
      for (let k = first[image]; k < first[image + 1]; k++) {
        const next = start[pixels[k] + 1]++;
        places[next] = b;
        ink[next] = values[k];
      }
    });
    return { start, places, ink };
  }

  /** The slopes of the first layer's weights and biases, from those of what the hidden units get. */
  function firstLayerSlopes(images, batch, slopes, [weightSlopes, biasSlopes]) {
    const units = biasSlopes.length, { start, places, ink } = byPixel(images, batch);
    biasSlopes.fill(0);
    slopes.forEach((slope, i) => { biasSlopes[i % units] += slope; });
    for (let unit = 0; unit < units; unit += 4) { // four at a time, as above
      const [unit0, unit1, unit2, unit3] = [0, 1, 2, 3].map((i) => Math.min(unit + i, units - 1));
      for (let pixel = 0; pixel < PIXELS; pixel++) {
        let sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
        for (let k = start[pixel], end = start[pixel + 1]; k < end; k++) {
          const row = places[k] * units, value = ink[k];
          sum0 += slopes[row + unit0] * value;
          sum1 += slopes[row + unit1] * value;
          sum2 += slopes[row + unit2] * value;
          sum3 += slopes[row + unit3] * value;
        }
        weightSlopes[unit0 * PIXELS + pixel] = sum0;
        weightSlopes[unit1 * PIXELS + pixel] = sum1;
        weightSlopes[unit2 * PIXELS + pixel] = sum2;
        weightSlopes[unit3 * PIXELS + pixel] = sum3;
      }
    }
  }

  /**
   * The loss of a batch and the slope of every parameter: `jax.value_and_grad(loss)`. The slopes are written into
   * `donated`, a tree that is no longer needed, as with JAX's `donate_argnames`.
   */
  function gradients(params, images, labels, batch, settings = {}, donated = zerosLike(params)) {
    const { value: act, slope: actSlope } = ACTIVATIONS[settings.activation ?? "swish"];
    const z = firstLayer(params[0], images, batch); // forward: values
    const hidden = z.map(act);
    const logits = lastLayer(params[1], hidden);
    const { value, slopes } = LOSSES[settings.loss ?? "correct"](logits, labelsOf(labels, batch));
    const hiddenSlopes = lastLayerSlopes(params[1], hidden, slopes, donated[1]); // backward: slopes
    const zSlopes = z.map((number, i) => actSlope(number) * hiddenSlopes[i]);
    firstLayerSlopes(images, batch, zSlopes, donated[0]);
    return { value, slopes: donated };
  }

  // ---- Learning (chapter 7) ----

  /** What a run carries from step to step: the parameters, the last step's move of each, and room for slopes. */
  const start = (params) => ({ params, velocity: zerosLike(params), slopes: zerosLike(params) });

  /**
   * One step of gradient descent; with momentum, plus that part of the previous step. The old state is donated: its
   * arrays become those of the new one. Returns the state, and the loss of the old parameters on this batch.
   */
  function update(state, images, labels, batch, settings) {
    const { rate, momentum = 0 } = settings;
    const { value, slopes } = gradients(state.params, images, labels, batch, settings, state.slopes);
    treeMap((leaf, slope, speed) => {
      if (momentum === 0) {
        for (let i = 0; i < leaf.length; i++) leaf[i] -= rate * slope[i];
        return;
      }
      for (let i = 0; i < leaf.length; i++) {
        speed[i] = momentum * speed[i] - rate * slope[i];
        leaf[i] += speed[i];
      }
    }, state.params, slopes, state.velocity);
    return { state, value };
  }

  /** The order in which an epoch visits the images: "shuffled" anew from the seed, as "stored", or "sorted" by label. */
  function epochOrder(kind, labels, seed) {
    if (kind === "shuffled") return permutation(seed, labels.length);
    const order = Uint32Array.from(labels, (_, i) => i);
    return kind === "sorted" ? order.sort((a, b) => labels[a] - labels[b]) : order; // sorting keeps ties in order
  }

  /** Visit the images once, in this order. As a generator, it pauses after each update and hands out its loss. */
  function* trainEpoch(state, images, labels, order, settings) {
    const { batchSize } = settings;
    for (let from = 0; from + batchSize <= order.length; from += batchSize) {
      yield update(state, images, labels, order.subarray(from, from + batchSize), settings).value;
    }
  }

  // ---- Counting (chapter 2) ----

  const argmax = (row) => row.reduce((best, value, i) => (value > row[best] ? i : best), 0);

  /** The most likely class of each image, worked out a few images at a time. */
  function predictedLabels(params, images, activation = "swish") {
    const count = images.first.length - 1, answers = new Uint8Array(count);
    for (let from = 0; from < count; from += 64) {
      const batch = Array.from({ length: Math.min(64, count - from) }, (_, i) => from + i);
      const logits = batchedPredict(params, images, batch, activation);
      batch.forEach((place, b) => { answers[place] = argmax(logits.subarray(b * CLASSES, (b + 1) * CLASSES)); });
    }
    return answers;
  }

  /** How many are right: divide once to get the accuracy. */
  const countRight = (answers, labels) => answers.reduce((right, answer, i) => right + (answer === labels[i]), 0);

  const accuracy = (params, images, labels, activation = "swish") =>
    countRight(predictedLabels(params, images, activation), labels) / labels.length;

  return {
    PIXELS, CLASSES, ACTIVATIONS, LOSSES, foldIn, uniform, normal, permutation, initNetworkParams, treeMap, zerosLike, copy,
    isFinite, inked, batchedPredict, predict, logSumExp, softmax, loss, gradients, start, update, epochOrder, trainEpoch,
    argmax, predictedLabels, countRight, accuracy,
  };
}

const Engine = makeEngine();
