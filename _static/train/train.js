// The page "Train a network": its controls and pictures. What learns is engine.js, in the worker of worker.js; the page holds a
// copy of the parameters, which each message renews, and works out from it whatever it shows.
"use strict";

const Train = (() => {
  const EPOCHS = 25; // for each press of Train, as many as the book's program takes
  /** As in chapter 1, except for the rate, which is 1 there. */
  const START = { rate: 0.3, batchSize: 32, scale: 0.01, units: 512, activation: "swish", momentum: 0, order: "shuffled", loss: "correct" };
  /** What each preset changes. Its words are on the page. */
  const PRESETS = {
    start: {},
    zeros: { scale: 0 },
    steep: { rate: 10 },
    published: { loss: "published", rate: 1 },
    sorted: { order: "sorted" },
    single: { batchSize: 1, rate: 1 },
  };
  const FRESH = ["scale", "units", "activation", "loss"]; // a change of these needs a new network

  const preset = (name) => ({ ...START, ...PRESETS[name] });
  const percent = (share) => `${(100 * share).toFixed(1)}%`;
  const a = (digit) => `${digit === 8 ? "an" : "a"} ${digit}`;

  /** The first 64 hidden units' weights, as the rows of one list. */
  const shownUnits = ([[weights, biases]], most = 64) =>
    Array.from({ length: Math.min(most, biases.length) }, (_, unit) => weights.subarray(unit * Engine.PIXELS, (unit + 1) * Engine.PIXELS));

  /** Which test images are read wrong, first to last. */
  const wrongOnes = (answers, labels) =>
    Array.from(answers, (answer, i) => i).filter((i) => answers[i] !== labels[i]);

  return { EPOCHS, START, PRESETS, FRESH, preset, percent, a, shownUnits, wrongOnes };
})();

document.addEventListener("DOMContentLoaded", () => {
  const { percent, a } = Train;
  const { element } = Live;
  const { SIDE } = Images;
  const find = (name) => document.querySelector(`[data-train="${name}"]`);
  const train = Digits.enlarge(DIGITS.train), test = Digits.enlarge(DIGITS.test);
  const testImage = (i) => Images.scaled(test.images.subarray(i * Engine.PIXELS, (i + 1) * Engine.PIXELS));

  // ---- What the page knows of the run ----

  const settings = { ...Train.START, seed: 0 };
  let worker = null, run = 0, params, epoch, losses, scores, answers;
  let going = false, broken = false, warned = false; // broken: by numbers that aren't finite
  let current = null; // the image on the pad: { image, name, label }
  let before = null; // the probabilities before the last step on one image

  // ---- Talking to the worker ----

  function ask(kind, more = {}) {
    if (!worker) {
      worker = makeWorker();
      worker.onmessage = ({ data }) => { if (data.run === run) hear[data.kind](data); };
      worker.onerror = () => {
        stop();
        say("Training stopped because of an error in the page. Reload it to start again.");
      };
      worker.postMessage({
        kind: "data",
        train: { images: Images.scaled(train.images), labels: train.labels },
        test: { images: Images.scaled(test.images), labels: test.labels },
      });
      // A worker that was stopped when the reader left the page is followed by another one, which goes on from there.
      if (kind !== "start") worker.postMessage({ kind: "start", run, settings, params, epoch });
    }
    worker.postMessage({ kind, run, ...more });
  }

  /** Begin anew: with parameters from a file, or with random ones. */
  function startOver(opened = null) {
    run += 1;
    going = broken = warned = false;
    epoch = 0;
    losses = [];
    scores = [];
    answers = null;
    before = null;
    params = opened ?? Engine.initNetworkParams(settings.seed, [Engine.PIXELS, settings.units, Engine.CLASSES], settings.scale);
    find("now").textContent = opened ? "A network from a file." : "A new network, which hasn’t learned anything yet.";
    sayOfImage("");
    ask("start", { settings, params: opened });
    show();
  }

  function stop() {
    worker?.terminate();
    worker = null;
    going = false;
    showButtons();
  }

  const hear = {
    started: (message) => score(message),
    progress(message) {
      before = null;
      take(message);
    },
    epoch(message) {
      before = null;
      if (!message.going) going = false; // a pause that was just asked for holds, whatever the message says
      take(message);
      score(message);
      const { loss, trainRight, testRight, seconds } = message;
      find("now").textContent = `Epoch ${epoch}: loss ${Live.words(loss)}. ` +
        `${trainRight.toLocaleString("en")} of ${train.labels.length.toLocaleString("en")} training images right, ` +
        `${testRight} of ${test.labels.length} test images. The epoch took ${Live.words(seconds, 2)} s.`;
      if (!going) say(`Paused after ${epoch} epoch${epoch === 1 ? "" : "s"}: ${testRight} of ${test.labels.length} test images are right. Press Train to go on.`);
      const ignorant = Curves.knownLosses(settings.loss, settings.batchSize)[0].value;
      if (loss > 1.5 * ignorant && !warned) {
        warned = true;
        say(`In epoch ${epoch}, the loss was ${Live.words(loss)}, far above the ${Live.words(ignorant)} of a network that knows nothing. The steps are too long. Lower the rate ` +
          `${settings.momentum ? "or the momentum " : ""}and start over.`);
      }
    },
    paused(message) {
      take(message);
      say(`Paused in epoch ${epoch + 1}. Press Train to go on.`);
    },
    diverged() {
      going = false;
      broken = true;
      showButtons();
      say("The run diverged: the loss is no longer a finite number, and no step leads back from there. What you see is the " +
        `network just before that. Lower the rate, which is ${Live.words(settings.rate)}` +
        `${settings.momentum ? `, or the momentum, which is ${settings.momentum}` : ""}, and press Train to begin again.`);
    },
    learned(message) {
      const chance = (of) => percent(of[message.label]);
      if (!current) { // the pad was cleared meanwhile, and yet the network has taken the step
        answers = message.answers;
        take(message);
        return;
      }
      before = chances();
      answers = message.answers;
      take(message);
      sayOfImage(`One step toward ${message.label}: the probability of ${message.label} went from ${chance(before)} to ${chance(chances())}. ` +
        `Of the ${test.labels.length} test images, ${message.before} were right before the step, and ${message.testRight} are now.`);
    },
    refused: () => sayOfImage(`A step at rate ${Live.words(settings.rate)} would leave numbers that aren’t finite, so it wasn’t taken. Lower the rate.`),
  };
  function take(message) {
    ({ params, epoch } = message);
    losses = Curves.extend(losses, message.points.filter(([, y]) => Number.isFinite(y)));
    show();
  }
  function score({ trainRight, testRight, answers: given }) {
    answers = given;
    scores = Curves.extend(scores, [[epoch, trainRight / train.labels.length, testRight / test.labels.length]]);
    show();
  }

  const say = (words) => { find("status").textContent = words; };
  const sayOfImage = (words) => { find("teachText").textContent = words; };

  // ---- Showing ----

  let waiting = false;
  /** Draw everything, once for each frame at most. */
  function show() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      showButtons();
      showCurves();
      showUnits();
      showWrong();
      showAnswer();
    });
  }

  function showButtons() {
    play.textContent = going ? "Pause" : "Train";
  }

  const drawLoss = Curves.lossChart(find("loss")), drawScores = Curves.scoreChart(find("scores"));
  function showCurves() {
    drawLoss(losses, settings.loss, settings.batchSize);
    drawScores(scores, Math.max(epoch, losses.at(-1)?.[0] ?? 0));
    const [, trainShare, testShare] = scores.at(-1) ?? [];
    find("legend").hidden = !scores.length;
    if (!scores.length) return;
    find("trainShare").textContent = `training images: ${percent(trainShare)}`;
    find("testShare").textContent = `test images: ${percent(testShare)}`;
  }

  /** Each unit's weights as an image, as bright as its own largest weight allows. */
  function showUnits() {
    const units = Train.shownUnits(params), canvas = find("units"), step = SIDE + 1;
    const columns = 8, rows = Math.ceil(units.length / columns);
    if (canvas.height !== rows * step - 1) Object.assign(canvas, { width: columns * step - 1, height: rows * step - 1 });
    const context = canvas.getContext("2d");
    units.forEach((weights, i) => {
      const most = weights.reduce((top, weight) => Math.max(top, Math.abs(weight)), 0);
      const tile = Canvas.pixels(weights, SIDE, Canvas.signed(most || 1));
      context.putImageData(tile, (i % columns) * step, Math.floor(i / columns) * step);
    });
    const all = params[0][1].length;
    const which = units.length < all ? `The first ${units.length} of ${all.toLocaleString("en")} hidden units` : all === 1 ? "The one hidden unit" : `The ${all} hidden units`;
    find("unitsText").textContent = `${which}, as ${all === 1 ? "its" : "their"} incoming weights: orange above zero, blue below, black at zero.`;
  }

  // The images that are still read wrong. The buttons stay the same ones, so that none vanishes from under a finger.
  const wrongButtons = Array.from({ length: 24 }, () => {
    const canvas = element("canvas"), text = element("span"), button = element("button", { type: "button", hidden: true }, canvas, text);
    button.addEventListener("click", () => choose(button.place));
    find("wrong").append(button);
    return { button, canvas, text };
  });
  function showWrong() {
    const wrong = answers ? Train.wrongOnes(answers, test.labels) : [];
    wrongButtons.forEach(({ button, canvas, text }, i) => {
      button.hidden = i >= wrong.length;
      if (button.hidden) return;
      const words = `${a(test.labels[wrong[i]])}, read as ${answers[wrong[i]]}`;
      if (button.place !== wrong[i]) Canvas.paint(canvas, testImage(wrong[i]), SIDE, Canvas.gray);
      button.place = wrong[i];
      if (text.textContent !== words) text.textContent = words;
    });
    find("wrongText").textContent = !answers ? "" : wrong.length === 0
      ? `All ${test.labels.length} test images are right.`
      : `${wrong.length} of ${test.labels.length} test images are wrong${wrong.length > wrongButtons.length ? `. These are the first ${wrongButtons.length}` : ""}:`;
  }

  // One image, and the ten probabilities.
  const bars = Array.from({ length: 10 }, (_, digit) => {
    const bar = element("span", { class: "bar" }), mark = element("span", { class: "mark", hidden: true }), text = element("td");
    const row = element("tr", {}, element("th", { scope: "row" }, String(digit)), element("td", {}, element("div", { class: "track" }, bar, mark)), text);
    find("bars").append(row);
    return { row, bar, mark, text };
  });
  const chances = () => Engine.softmax(Engine.predict(params, current.image, settings.activation));
  function showAnswer() {
    const given = current ? chances() : new Float64Array(10), lost = !given.every(Number.isFinite);
    const now = lost ? given.fill(0) : given, answer = Engine.argmax(now);
    bars.forEach(({ row, bar, mark, text }, digit) => {
      row.className = current && !lost && digit === answer ? "answer" : "";
      bar.style.width = `${100 * now[digit]}%`;
      mark.hidden = !before;
      if (before) mark.style.left = `${100 * before[digit]}%`;
      text.textContent = current && !lost ? percent(now[digit]) : "";
    });
    find("imageText").textContent = !current ? "Nothing is drawn yet."
      : lost ? `${current.name}. The network’s logits are too large for 32 bits, so it gives no probabilities.`
      : `${current.name}. The network says: ${a(answer)}, with a probability of ${percent(now[answer])}.`;
  }

  const pad = Canvas.pad(find("pad"), () => {
    const bytes = Images.fitBox(pad.ink());
    current = bytes && { image: Images.scaled(bytes), name: "Your drawing" };
    before = null;
    if (!pad.drawing) sayOfImage("");
    showAnswer();
  });
  function choose(place) {
    const image = testImage(place);
    current = { image, name: `Test image ${place}, ${a(test.labels[place])}` };
    before = null;
    pad.show(image, SIDE);
    chosen.set(place);
    sayOfImage("");
    showAnswer();
  }
  const seven = test.labels.indexOf(7);
  const chosen = Live.slider({
    label: "Test image", min: 0, max: test.labels.length - 1, step: 1, value: seven, change: choose,
    say: (i) => `${i}: ${a(test.labels[i])}`,
  });
  find("choose").append(chosen.node);
  find("clear").addEventListener("click", () => {
    pad.clear();
    current = before = null;
    sayOfImage("");
    showAnswer();
  });
  for (let digit = 0; digit < 10; digit++) {
    const press = () => {
      if (!current) sayOfImage("Draw something first, or choose a test image.");
      else if (broken) sayOfImage("The run has diverged, so there’s nothing left to teach. Press Train to begin again.");
      else ask("learn", { image: current.image, label: digit });
    };
    find("teach").append(element("button", { type: "button", "aria-label": `That was ${a(digit)}`, click: press }, String(digit)));
  }

  // ---- Controls ----

  const play = Live.button("Train", () => {
    if (going) {
      going = false;
      ask("pause");
    } else {
      if (broken) startOver();
      going = true;
      ask("train", { epochs: Train.EPOCHS });
      say("Training.");
    }
    showButtons();
  });
  find("player").append(
    play,
    Live.button("One epoch", () => {
      if (broken) startOver();
      going = true;
      ask("train", { epochs: 1 });
      say("Training for one epoch.");
      showButtons();
    }),
    Live.button("Start over", () => {
      settings.seed += 1;
      startOver();
      say("A new network, with different random numbers.");
    }));

  /** A control has changed: some settings hold from the next step on, others need a new network. */
  const change = (name) => (value) => {
    settings[name] = value;
    for (const button of presetButtons) button.setAttribute("aria-pressed", "false");
    before = null;
    if (Train.FRESH.includes(name)) {
      const again = going;
      startOver();
      if (again) {
        going = true;
        ask("train", { epochs: Train.EPOCHS });
      }
      say(`A new network${again ? ", and on it goes" : ". Press Train"}.`);
    } else {
      if (worker) ask("change", { settings: { [name]: value } });
      show();
    }
  };
  /** The slider for the hidden units; a network from a file may have a number of its own. */
  function unitsSlider() {
    const at = [...new Set([1, 4, 16, 64, 128, 256, 512, 1024, settings.units])].sort((x, y) => x - y);
    return Live.slider({ label: "Hidden units", at, value: settings.units, say: (units) => units.toLocaleString("en"), change: change("units") });
  }
  const controls = {
    rate: Live.slider({ label: "Rate", at: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 100], value: settings.rate, change: change("rate") }),
    batchSize: Live.slider({
      label: "Batch size", at: [1, 2, 4, 8, 16, 32, 64, 128, 256, 1440], value: settings.batchSize, change: change("batchSize"),
      say: (size) => size.toLocaleString("en"),
    }),
    momentum: Live.slider({ label: "Momentum", at: [0, 0.5, 0.9, 0.99], value: settings.momentum, change: change("momentum") }),
    scale: Live.slider({ label: "Initial scale", at: [0, 0.001, 0.01, 0.036, 0.1, 1], value: settings.scale, change: change("scale") }),
    units: unitsSlider(),
    activation: Live.choice({
      label: "Activation", value: settings.activation, change: change("activation"),
      options: [["swish", "Swish"], ["relu", "ReLU"], ["tanh", "tanh"], ["sigmoid", "sigmoid"]],
    }),
    order: Live.choice({
      label: "Order", value: settings.order, change: change("order"),
      options: [["shuffled", "shuffled"], ["stored", "as stored"], ["sorted", "sorted by digit"]],
    }),
    loss: Live.choice({
      label: "Loss", value: settings.loss, change: change("loss"),
      options: [["correct", "correct"], ["published", "published"]],
    }),
  };
  find("controls").append(...Object.values(controls).map(({ node }) => node));
  function setControls() {
    const { node } = controls.units;
    controls.units = unitsSlider();
    node.replaceWith(controls.units.node);
    for (const [name, control] of Object.entries(controls)) control.set(settings[name]);
  }

  // Presets: their words are on the page, in a box for each, and the script adds the button.
  const notes = Object.keys(Train.PRESETS).map((name) => document.querySelector(`.preset-${name}`));
  const presetButtons = Object.keys(Train.PRESETS).map((name, i) => {
    const button = element("button", { type: "button", "aria-pressed": "false" }, notes[i].querySelector("strong").textContent.replace(/\.$/, ""));
    button.addEventListener("click", () => {
      Object.assign(settings, Train.preset(name), { seed: 0 });
      setControls();
      startOver();
      showPreset(name);
      going = true;
      ask("train", { epochs: Train.EPOCHS });
      say(`Training: ${button.textContent}.`);
    });
    return button;
  });
  function showPreset(name) {
    Object.keys(Train.PRESETS).forEach((key, i) => {
      notes[i].hidden = key !== name;
      presetButtons[i].setAttribute("aria-pressed", String(key === name));
    });
  }
  find("presets").append(...presetButtons);
  find("notes").append(...notes);

  // ---- Files ----

  find("save").addEventListener("click", () => {
    if (settings.activation !== "swish") {
      find("fileText").textContent = "The Python program always uses Swish, and this network was trained with another activation, so it would give other answers there. " +
        "Choose Swish, train, and save again.";
      return;
    }
    if (!Engine.isFinite(params)) {
      find("fileText").textContent = "This network holds values that aren’t finite numbers, so no program could use it. Press Train to begin again.";
      return;
    }
    const address = URL.createObjectURL(new Blob([Safetensors.save(params)], { type: "application/octet-stream" }));
    element("a", { href: address, download: "params.safetensors" }).click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
    find("fileText").textContent = `Saved params.safetensors, with ${params.flat().reduce((sum, leaf) => sum + leaf.length, 0).toLocaleString("en")} parameters.`;
  });
  find("open").addEventListener("change", async ({ target }) => {
    const [file] = target.files;
    if (!file) return;
    try {
      const opened = Safetensors.load(await file.arrayBuffer());
      settings.units = opened[0][1].length;
      settings.activation = "swish";
      setControls();
      startOver(opened);
      showPreset(null);
      say("Press Train to go on with this network.");
      const right = Engine.countRight(Engine.predictedLabels(params, Engine.inked(Images.scaled(test.images))), test.labels);
      find("fileText").textContent = `Opened ${file.name}, a network of 784-${settings.units}-10. It gets ${right} of the ${test.labels.length} test images right.`;
    } catch (error) {
      find("fileText").textContent = error.message;
    }
    target.value = ""; // the same file may be opened again
  });

  window.addEventListener("pagehide", () => {
    if (going) say(`Paused in epoch ${epoch + 1}, when you left the page. Press Train to go on.`);
    stop();
  });
  Object.assign(Train, {
    stop,
    choose,
    state: () => ({ params, epoch, losses, scores, answers, settings, going, worker, chances: current && chances() }),
    open: startOver,
  });
  showPreset("start");
  startOver();
  choose(seven);
});
