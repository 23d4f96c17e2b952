// Training away from the page, in a worker, so that the page stays awake. The worker is made from the source of two
// functions, because a page opened from the file system may not load one from a file.
"use strict";

/** What runs in the worker. Messages come as { kind, run, ... }; what belongs to an earlier run, the page ignores. */
function trainInWorker(engine, scope) {
  const SLICE = 150; // milliseconds of training between two reports
  const POINTS = 15; // of the loss, for each epoch
  let train, test; // { images, labels }, with images as lists of inked pixels
  let run = 0, settings, state, epoch = 0, until = 0;
  let steps = null, inEpoch = 0, seconds = 0; // of the epoch under way: its updates, their number, the time they took
  let points = [], sum = 0, count = 0; // of the losses since the last point
  let total = 0, done = 0; // of the losses, and of the steps, since the epoch began
  let going = false, next = null; // `next` is the timer of the next moment of training
  let isNew = false; // a network whose score nobody knows yet

  /** Tell the page how it stands, with a copy of the parameters. */
  function report(kind, more = {}) {
    const params = engine.copy(state.params);
    scope.postMessage({ kind, run, params, epoch, points, ...more }, params.flat().map((leaf) => leaf.buffer));
    points = [];
  }

  /** The answers to all images of one set, and how many are right. */
  function measure({ images, labels }) {
    const answers = engine.predictedLabels(state.params, images, settings.activation);
    return { answers, right: engine.countRight(answers, labels) };
  }
  function measureBoth() {
    const { answers, right } = measure(test);
    return { answers, testRight: right, trainRight: measure(train).right };
  }

  /** Keep the mean of a few steps' losses as one point of the curve. */
  function keep(value) {
    total += value;
    sum += value;
    count += 1;
    done += 1;
    if (count < inEpoch / POINTS && done < inEpoch) return;
    points.push([epoch + done / inEpoch, sum / count]);
    sum = count = 0;
  }

  /** Say how a new network does; then train for a moment, report, and let messages in. */
  function work() {
    if (isNew) {
      isNew = false;
      report("started", measureBoth());
    }
    if (!going) return;
    const began = performance.now();
    if (!steps) {
      const order = engine.epochOrder(settings.order, train.labels, engine.foldIn(settings.seed, epoch));
      steps = engine.trainEpoch(state, train.images, train.labels, order, settings);
      inEpoch = Math.floor(order.length / settings.batchSize);
      seconds = total = done = sum = count = 0;
    }
    let ended = false;
    while (performance.now() - began < SLICE) {
      const step = steps.next();
      ended = step.done;
      if (ended) break;
      if (!Number.isFinite(step.value)) {
        going = false;
        steps = null;
        scope.postMessage({ kind: "diverged", run, epoch });
        return;
      }
      keep(step.value);
    }
    seconds += (performance.now() - began) / 1000;
    if (!ended) {
      report("progress");
    } else if (!engine.isFinite(state.params)) {
      going = false;
      scope.postMessage({ kind: "diverged", run, epoch });
    } else {
      steps = null;
      epoch += 1;
      going = epoch < until;
      report("epoch", { loss: total / done, seconds, going, ...measureBoth() });
    }
    if (going) next = setTimeout(work);
  }

  const commands = {
    /** The digits, once. */
    data(message) {
      train = { images: engine.inked(message.train.images), labels: message.train.labels };
      test = { images: engine.inked(message.test.images), labels: message.test.labels };
    },
    /** A new network, drawn from the seed, or one that the page brings. */
    start(message) {
      ({ run, settings } = message);
      const sizes = [engine.PIXELS, settings.units, engine.CLASSES];
      state = engine.start(message.params ?? engine.initNetworkParams(settings.seed, sizes, settings.scale));
      epoch = message.epoch ?? 0;
      steps = null;
      points = [];
      going = false;
      isNew = true;
      clearTimeout(next);
      next = setTimeout(work); // by then, a reader who moves a slider may have asked for yet another one
    },
    /** Settings that may change on the way. The rate and the momentum hold at once; another order or batch begins the epoch again. */
    change(message) {
      const again = ["batchSize", "order"].some((name) => name in message.settings);
      Object.assign(settings, message.settings); // the very object that an epoch under way reads
      if (message.settings.momentum === 0) state.velocity = engine.zerosLike(state.params);
      if (again) steps = null;
    },
    train(message) {
      until = epoch + message.epochs;
      if (!going) {
        going = true;
        clearTimeout(next);
        next = setTimeout(work);
      }
    },
    pause() {
      going = false;
      report("paused");
    },
    /**
     * One step on one image that the reader drew, by the correct loss and without momentum. It's as long as the image's share
     * of a step on a whole batch: a full step on a single image would wipe out much of what was learned.
     */
    learn({ image, label }) {
      const one = engine.inked(image);
      const step = { activation: settings.activation, rate: settings.rate / settings.batchSize };
      const trial = engine.start(engine.copy(state.params));
      engine.update(trial, one, [label], [0], step);
      if (!engine.isFinite(trial.params)) {
        scope.postMessage({ kind: "refused", run });
        return;
      }
      const before = measure(test).right;
      engine.treeMap((leaf, next) => leaf.set(next), state.params, trial.params);
      const { answers, right } = measure(test);
      report("learned", { label, before, answers, testRight: right });
    },
  };
  scope.onmessage = ({ data }) => { if (data.kind === "data" || data.kind === "start" || data.run === run) commands[data.kind](data); };
}

/** A worker, made on the spot. */
function makeWorker() {
  const source = `"use strict";\n${makeEngine}\n${trainInWorker}\ntrainInWorker(makeEngine(), self);`;
  const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const worker = new Worker(address);
  URL.revokeObjectURL(address);
  return worker;
}
