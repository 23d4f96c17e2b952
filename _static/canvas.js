// Numbers as pictures on a canvas, and a canvas to draw on with a pointer.
"use strict";

const Canvas = (() => {
  /** Paint numbers as an image of `columns`, each in the color (red, green, blue) that `color` gives it. */
  function paint(canvas, values, columns, color) {
    canvas.width = columns;
    canvas.height = values.length / columns;
    canvas.getContext("2d").putImageData(pixels(values, columns, color), 0, 0);
  }
  function pixels(values, columns, color) {
    const image = new ImageData(columns, values.length / columns);
    values.forEach((value, i) => image.data.set([...color(value), 255], 4 * i));
    return image;
  }

  const gray = (value) => Array(3).fill(255 * value);
  /** Orange for above 0, blue for below, black for 0; `most` is as bright as it gets. */
  const signed = (most) => (value) => {
    const part = Math.min(Math.abs(value) / most, 1);
    return (value > 0 ? [255, 150, 60] : [80, 170, 255]).map((channel) => channel * part);
  };

  /**
   * A pad: white ink on black, as in MNIST. `changed` is called when the reader has drawn, at most once for each frame,
   * and once more when a stroke ends. The first stroke wipes away what `show` put there.
   */
  function pad(canvas, changed) {
    const pen = canvas.getContext("2d", { willReadFrequently: true });
    let shown = false, last = null, waiting = false; // `last` is where the pen was
    function clear() {
      shown = false;
      pen.clearRect(0, 0, canvas.width, canvas.height);
    }
    function show(image, columns) {
      clear();
      const small = document.createElement("canvas");
      paint(small, image, columns, gray);
      pen.imageSmoothingEnabled = true;
      pen.drawImage(small, 0, 0, canvas.width, canvas.height);
      shown = true;
    }
    /** How white each pixel is, 0 to 1, as rows. */
    function ink() {
      const { data } = pen.getImageData(0, 0, canvas.width, canvas.height);
      return Array.from({ length: canvas.height }, (_, y) =>
        Array.from({ length: canvas.width }, (_, x) => {
          const i = 4 * (y * canvas.width + x);
          return (data[i] * data[i + 3]) / (255 * 255);
        }));
    }
    function position(event) {
      const box = canvas.getBoundingClientRect();
      return [((event.clientX - box.left) * canvas.width) / box.width, ((event.clientY - box.top) * canvas.height) / box.height];
    }
    function changedSoon() {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => { waiting = false; changed(); });
    }
    const width = canvas.width * 0.085;
    /** Where the pen touches down. A line of no length would leave no ink. */
    function dot([x, y]) {
      pen.fillStyle = "white";
      pen.beginPath();
      pen.arc(x, y, width / 2, 0, 2 * Math.PI);
      pen.fill();
      changedSoon();
    }
    function stroke(event) {
      if (!last || !event.isPrimary) return; // a second finger leaves no line to the first
      Object.assign(pen, { strokeStyle: "white", lineWidth: width, lineCap: "round", lineJoin: "round" });
      pen.beginPath();
      pen.moveTo(...last);
      // The browser may have seen the pen at several places since the last event.
      for (const seen of [...(event.getCoalescedEvents?.() ?? []), event]) pen.lineTo(...(last = position(seen)));
      pen.stroke();
      changedSoon();
    }
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !event.isPrimary) return;
      event.preventDefault();
      canvas.setPointerCapture(event.pointerId);
      if (shown) clear();
      dot(last = position(event));
    });
    canvas.addEventListener("pointermove", stroke);
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, (event) => { if (last && event.isPrimary) { last = null; changed(); } });
    }
    return { pen, clear, show, ink, get drawing() { return last !== null; } };
  }

  return { paint, pixels, gray, signed, pad };
})();
