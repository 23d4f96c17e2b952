// Parameters in a file: what mnist_code/storage.py writes and reads, byte for byte. A safetensors file is the length of its
// header (8 bytes), the header (JSON: each array's type, shape and place), and the numbers.
"use strict";

const Safetensors = (() => {
  const SIZE_IN = 784, SIZE_OUT = 10;
  const MOST_UNITS = 4096; // a network that's larger would keep a browser too busy

  /** The file's bytes: `layer_0.biases` (out,), `layer_0.weights` (out, in), and so on, 32-bit floats. */
  function save(params) {
    const header = {}, arrays = [];
    let offset = 0;
    params.forEach(([weights, biases], layer) => {
      const add = (kind, array, shape) => {
        header[`layer_${layer}.${kind}`] = { dtype: "F32", shape, data_offsets: [offset, (offset += array.byteLength)] };
        arrays.push(array);
      };
      add("biases", biases, [biases.length]); // by name, as the library sorts them
      add("weights", weights, [biases.length, weights.length / biases.length]);
    });
    const text = JSON.stringify(header);
    const padded = new TextEncoder().encode(text.padEnd(Math.ceil(text.length / 8) * 8));
    const bytes = new Uint8Array(8 + padded.length + offset), view = new DataView(bytes.buffer);
    view.setBigUint64(0, BigInt(padded.length), true);
    bytes.set(padded, 8);
    let place = 8 + padded.length;
    for (const array of arrays) {
      array.forEach((number, i) => view.setFloat32(place + 4 * i, number, true));
      place += array.byteLength;
    }
    return bytes;
  }

  /** An error whose message is a sentence for the reader. */
  const refuse = (why) => new Error(`This page can’t use the file: ${why}.`);

  function readHeader(view) {
    const broken = refuse("it isn’t a safetensors file, or it’s corrupt");
    if (view.byteLength < 8) throw broken;
    const length = Number(view.getBigUint64(0, true));
    if (length > view.byteLength - 8) throw broken;
    let header;
    try {
      header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array(view.buffer, 8, length)));
    } catch {
      throw broken;
    }
    if (header === null || typeof header !== "object" || Array.isArray(header)) throw broken;
    if ((header.__metadata__?.normalization ?? "none") !== "none")
      throw refuse("its network learned from normalized images, and this page shows images as they are. Open one that was trained with --normalization none");
    delete header.__metadata__; // other notes are for people
    return { header, start: 8 + length };
  }

  /** The parameters in a file's bytes (an ArrayBuffer). Whatever isn't a network with one hidden layer is refused. */
  function load(buffer) {
    const view = new DataView(buffer), { header, start } = readHeader(view);
    const names = ["layer_0.weights", "layer_0.biases", "layer_1.weights", "layer_1.biases"];
    const found = Object.keys(header).sort();
    if (found.join() !== [...names].sort().join()) {
      const layers = found.filter((name) => /^layer_\d+\.weights$/.test(name)).length;
      throw refuse(found.length === 2 * layers && layers > 0
        ? `it holds a network of ${layers} layer${layers > 1 ? "s" : ""}, and this page runs networks of two`
        : `it holds ${found.slice(0, 6).join(", ") || "nothing"}, not the two layers of a network`);
    }
    const units = header["layer_0.biases"]?.shape?.[0];
    const shapes = [[units, SIZE_IN], [units], [SIZE_OUT, units], [SIZE_OUT]];
    const arrays = names.map((name, i) => {
      const { dtype, shape, data_offsets: offsets } = header[name] ?? {};
      const fits = dtype === "F32" && Number.isInteger(units) && units > 0 && String(shape) === String(shapes[i]);
      if (!fits) throw refuse(`${name} is ${dtype} of shape (${shape}), which doesn’t fit a network for 784 pixels and 10 digits`);
      if (units > MOST_UNITS) throw refuse(`it has ${units.toLocaleString("en")} hidden units, and this page runs at most ${MOST_UNITS.toLocaleString("en")}`);
      const count = shapes[i].reduce((a, b) => a * b);
      const [from, to] = Array.isArray(offsets) ? offsets : [];
      if (!(from >= 0) || to - from !== 4 * count || start + to > view.byteLength) throw refuse("it’s cut off or corrupt");
      const array = Float32Array.from({ length: count }, (_, k) => view.getFloat32(start + from + 4 * k, true));
      if (!array.every(Number.isFinite)) throw refuse(`${name} holds a value that isn’t a finite number`);
      return array;
    });
    return [[arrays[0], arrays[1]], [arrays[2], arrays[3]]];
  }

  return { save, load };
})();
