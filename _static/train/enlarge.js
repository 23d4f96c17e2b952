// The embedded digits, unpacked and brought to MNIST's form: `embedded_digits` of mnist_code/data/_digits.py.
"use strict";

const Digits = (() => {
  const SMALL = 8; // pixels along a digit as it's stored, a letter for each: a is 0, q is 16

  /** The rows of numbers of one stored digit. */
  const unpack = (letters) =>
    Array.from({ length: SMALL }, (_, row) =>
      Array.from({ length: SMALL }, (_, column) => letters.charCodeAt(SMALL * row + column) - 97));

  /** All digits of one part, "train" or "test": `images`, 784 bytes for each, and `labels`. */
  function enlarge({ pixels, labels }) {
    const size = Images.SIDE ** 2, step = SMALL ** 2;
    const images = new Uint8Array(labels.length * size);
    for (let i = 0; i < labels.length; i++) {
      images.set(Images.fitBox(unpack(pixels.slice(i * step, (i + 1) * step))), i * size);
    }
    return { images, labels: Uint8Array.from(labels, Number) };
  }

  return { enlarge };
})();
