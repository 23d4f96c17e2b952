// Bring a drawing to the form of MNIST's images, as mnist_code/images.py does: to the last pixel, with Pillow's
// arithmetic. It keeps numbers in 32 bits between two passes, and so does this.
"use strict";

const Images = (() => {
  const SIDE = 28, BOX = 20; // pixels along an image, and along the box that the digit fits into

  /** Round to the nearest integer, and halves to the even one, as Python does. */
  function roundEven(x) {
    const below = Math.floor(x), rest = x - below;
    return rest < 0.5 || (rest === 0.5 && below % 2 === 0) ? below : below + 1;
  }

  /** Keys's cubic, with a = -1/2. */
  function cubic(x) {
    x = Math.abs(x);
    return x < 1 ? (1.5 * x - 2.5) * x * x + 1 : x < 2 ? -0.5 * (((x - 5) * x + 8) * x - 4) : 0;
  }

  /** Bring rows of numbers to `count` rows as Pillow does: each new number is a weighted mean of old ones. */
  function resample(rows, count) {
    if (rows.length === count) return rows;
    const scale = rows.length / count, stretch = Math.max(scale, 1);
    return Array.from({ length: count }, (_, i) => {
      const center = (i + 0.5) * scale;
      const first = Math.max(0, Math.floor(center - 2 * stretch + 0.5));
      const last = Math.min(rows.length, Math.floor(center + 2 * stretch + 0.5));
      const near = rows.slice(first, last);
      const weights = near.map((_, j) => cubic((first + j - center + 0.5) / stretch));
      const total = weights.reduce((a, b) => a + b, 0);
      return near[0].map((_, x) =>
        Math.fround(near.reduce((sum, row, j) => sum + (weights[j] / total) * row[x], 0)));
    });
  }

  const transpose = (rows) => rows[0].map((_, x) => rows.map((row) => row[x]));
  const largestOf = (rows) => rows.reduce((most, row) => row.reduce((a, b) => Math.max(a, b), most), 0);
  const clamp = (x, low, high) => Math.min(Math.max(x, low), high);

  /** Fit ink (rows of numbers, 0 where there is none) into the box, centered by mass: 784 bytes, or null without ink. */
  function fitBox(ink) {
    const inked = (row) => row.some((value) => value > 0);
    const edges = (rows) => [rows.findIndex(inked), rows.findLastIndex(inked) + 1];
    const [top, bottom] = edges(ink);
    if (top < 0) return null;
    const [left, right] = edges(transpose(ink));
    const cut = ink.slice(top, bottom).map((row) => row.slice(left, right));
    const scale = BOX / Math.max(bottom - top, right - left);
    const size = (length) => Math.max(1, roundEven(length * scale));
    const darkest = largestOf(cut);
    let small = cut.map((row) => row.map((value) => Math.fround(value / darkest)));
    small = transpose(resample(transpose(small), size(right - left)));
    small = resample(small, size(bottom - top)).map((row) => row.map((value) => Math.max(value, 0)));
    const most = largestOf(small);
    small = small.map((row) => row.map((value) => Math.fround(value / most)));

    let mass = 0, y = 0, x = 0;
    small.forEach((row, i) => row.forEach((value, j) => { mass += value; y += value * i; x += value * j; }));
    const place = (center, length) => clamp(roundEven((SIDE - 1) / 2 - center / mass), 0, SIDE - length);
    const firstRow = place(y, small.length), firstColumn = place(x, small[0].length);
    const image = new Uint8Array(SIDE * SIDE);
    small.forEach((row, i) => row.forEach((value, j) => {
      image[(firstRow + i) * SIDE + firstColumn + j] = roundEven(Math.fround(value * 255));
    }));
    return image;
  }

  /** Bytes as the network takes them: from 0 to 1. */
  const scaled = (bytes) => Float32Array.from(bytes, (byte) => byte / 255);

  return { SIDE, fitBox, scaled };
})();
