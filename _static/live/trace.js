// Chapter 9's live figure of what `jit` remembers: each call finds an entry of the cache or makes Python run and adds one.
// What JAX printed, recorded and returned was written here by tools/record_traces.py; only the look-up is the figure's own.
"use strict";

const Trace = (() => {
  // ---- Recorded ----
  const RECORDED = {
    "code": "@partial(jax.jit, static_argnames=\"kind\")\ndef activate(x, kind):\n    print(\"Python runs, with x =\", x)\n    if kind == \"relu\":\n        return jnp.maximum(x, 0)\n    return x / (1 + jnp.exp(-x))",
    "kinds": [
      "\"relu\"",
      "\"swish\"",
      "[\"relu\"]"
    ],
    "arguments": [
      [
        "jnp.array([-1.0, 2.0])",
        "float32[2]"
      ],
      [
        "jnp.array([3.0, 0.5])",
        "float32[2]"
      ],
      [
        "np.array([-1.0, 2.0], np.float32)",
        "float32[2]"
      ],
      [
        "jnp.array([-1.0, 2.0, 0.5])",
        "float32[3]"
      ],
      [
        "jnp.array([[-1.0, 2.0]])",
        "float32[1,2]"
      ],
      [
        "jnp.array([-1, 2])",
        "int32[2]"
      ],
      [
        "jnp.float32(2.0)",
        "float32[]"
      ],
      [
        "2.0",
        "~float32[]"
      ],
      [
        "-1.5",
        "~float32[]"
      ],
      [
        "jnp.int32(2)",
        "int32[]"
      ],
      [
        "2",
        "~int32[]"
      ]
    ],
    "traces": {
      "float32[2], \"relu\"": {
        "printed": "Python runs, with x = JitTracer(float32[2])",
        "jaxpr": "{ lambda ; a:f32[2]. let b:f32[2] = max a 0.0:f32[] in (b,) }"
      },
      "float32[3], \"relu\"": {
        "printed": "Python runs, with x = JitTracer(float32[3])",
        "jaxpr": "{ lambda ; a:f32[3]. let b:f32[3] = max a 0.0:f32[] in (b,) }"
      },
      "float32[1,2], \"relu\"": {
        "printed": "Python runs, with x = JitTracer(float32[1,2])",
        "jaxpr": "{ lambda ; a:f32[1,2]. let b:f32[1,2] = max a 0.0:f32[] in (b,) }"
      },
      "int32[2], \"relu\"": {
        "printed": "Python runs, with x = JitTracer(int32[2])",
        "jaxpr": "{ lambda ; a:i32[2]. let b:i32[2] = max a 0:i32[] in (b,) }"
      },
      "float32[], \"relu\"": {
        "printed": "Python runs, with x = JitTracer(float32[])",
        "jaxpr": "{ lambda ; a:f32[]. let b:f32[] = max a 0.0:f32[] in (b,) }"
      },
      "~float32[], \"relu\"": {
        "printed": "Python runs, with x = JitTracer(~float32[])",
        "jaxpr": "{ lambda ; a:f32[]. let b:f32[] = max a 0.0:f32[] in (b,) }"
      },
      "int32[], \"relu\"": {
        "printed": "Python runs, with x = JitTracer(int32[])",
        "jaxpr": "{ lambda ; a:i32[]. let b:i32[] = max a 0:i32[] in (b,) }"
      },
      "~int32[], \"relu\"": {
        "printed": "Python runs, with x = JitTracer(~int32[])",
        "jaxpr": "{ lambda ; a:i32[]. let b:i32[] = max a 0:i32[] in (b,) }"
      },
      "float32[2], \"swish\"": {
        "printed": "Python runs, with x = JitTracer(float32[2])",
        "jaxpr": "{ lambda ; a:f32[2]. let\n    b:f32[2] = neg a\n    c:f32[2] = exp b\n    d:f32[2] = add 1.0:f32[] c\n    e:f32[2] = div a d\n  in (e,) }"
      },
      "float32[3], \"swish\"": {
        "printed": "Python runs, with x = JitTracer(float32[3])",
        "jaxpr": "{ lambda ; a:f32[3]. let\n    b:f32[3] = neg a\n    c:f32[3] = exp b\n    d:f32[3] = add 1.0:f32[] c\n    e:f32[3] = div a d\n  in (e,) }"
      },
      "float32[1,2], \"swish\"": {
        "printed": "Python runs, with x = JitTracer(float32[1,2])",
        "jaxpr": "{ lambda ; a:f32[1,2]. let\n    b:f32[1,2] = neg a\n    c:f32[1,2] = exp b\n    d:f32[1,2] = add 1.0:f32[] c\n    e:f32[1,2] = div a d\n  in (e,) }"
      },
      "int32[2], \"swish\"": {
        "printed": "Python runs, with x = JitTracer(int32[2])",
        "jaxpr": "{ lambda ; a:i32[2]. let\n    b:i32[2] = neg a\n    c:f32[2] = convert_element_type[new_dtype=float32 weak_type=False] b\n    d:f32[2] = exp c\n    e:f32[2] = add 1.0:f32[] d\n    f:f32[2] = convert_element_type[new_dtype=float32 weak_type=False] a\n    g:f32[2] = div f e\n  in (g,) }"
      },
      "float32[], \"swish\"": {
        "printed": "Python runs, with x = JitTracer(float32[])",
        "jaxpr": "{ lambda ; a:f32[]. let\n    b:f32[] = neg a\n    c:f32[] = exp b\n    d:f32[] = add 1.0:f32[] c\n    e:f32[] = div a d\n  in (e,) }"
      },
      "~float32[], \"swish\"": {
        "printed": "Python runs, with x = JitTracer(~float32[])",
        "jaxpr": "{ lambda ; a:f32[]. let\n    b:f32[] = neg a\n    c:f32[] = exp b\n    d:f32[] = add 1.0:f32[] c\n    e:f32[] = div a d\n  in (e,) }"
      },
      "int32[], \"swish\"": {
        "printed": "Python runs, with x = JitTracer(int32[])",
        "jaxpr": "{ lambda ; a:i32[]. let\n    b:i32[] = neg a\n    c:f32[] = convert_element_type[new_dtype=float32 weak_type=False] b\n    d:f32[] = exp c\n    e:f32[] = add 1.0:f32[] d\n    f:f32[] = convert_element_type[new_dtype=float32 weak_type=False] a\n    g:f32[] = div f e\n  in (g,) }"
      },
      "~int32[], \"swish\"": {
        "printed": "Python runs, with x = JitTracer(~int32[])",
        "jaxpr": "{ lambda ; a:i32[]. let\n    b:i32[] = neg a\n    c:f32[] = convert_element_type[new_dtype=float32 weak_type=True] b\n    d:f32[] = exp c\n    e:f32[] = add 1.0:f32[] d\n    f:f32[] = convert_element_type[new_dtype=float32 weak_type=True] a\n    g:f32[] = div f e\n  in (g,) }"
      }
    },
    "results": {
      "jnp.array([-1.0, 2.0]), \"relu\"": "Array([0., 2.], dtype=float32)",
      "jnp.array([3.0, 0.5]), \"relu\"": "Array([3. , 0.5], dtype=float32)",
      "np.array([-1.0, 2.0], np.float32), \"relu\"": "Array([0., 2.], dtype=float32)",
      "jnp.array([-1.0, 2.0, 0.5]), \"relu\"": "Array([0. , 2. , 0.5], dtype=float32)",
      "jnp.array([[-1.0, 2.0]]), \"relu\"": "Array([[0., 2.]], dtype=float32)",
      "jnp.array([-1, 2]), \"relu\"": "Array([0, 2], dtype=int32)",
      "jnp.float32(2.0), \"relu\"": "Array(2., dtype=float32)",
      "2.0, \"relu\"": "Array(2., dtype=float32, weak_type=True)",
      "-1.5, \"relu\"": "Array(0., dtype=float32, weak_type=True)",
      "jnp.int32(2), \"relu\"": "Array(2, dtype=int32)",
      "2, \"relu\"": "Array(2, dtype=int32, weak_type=True)",
      "jnp.array([-1.0, 2.0]), \"swish\"": "Array([-0.26894143,  1.761594  ], dtype=float32)",
      "jnp.array([3.0, 0.5]), \"swish\"": "Array([2.8577225 , 0.31122968], dtype=float32)",
      "np.array([-1.0, 2.0], np.float32), \"swish\"": "Array([-0.26894143,  1.761594  ], dtype=float32)",
      "jnp.array([-1.0, 2.0, 0.5]), \"swish\"": "Array([-0.26894143,  1.761594  ,  0.31122968], dtype=float32)",
      "jnp.array([[-1.0, 2.0]]), \"swish\"": "Array([[-0.26894143,  1.761594  ]], dtype=float32)",
      "jnp.array([-1, 2]), \"swish\"": "Array([-0.26894143,  1.761594  ], dtype=float32)",
      "jnp.float32(2.0), \"swish\"": "Array(1.761594, dtype=float32)",
      "2.0, \"swish\"": "Array(1.761594, dtype=float32, weak_type=True)",
      "-1.5, \"swish\"": "Array(-0.27363828, dtype=float32, weak_type=True)",
      "jnp.int32(2), \"swish\"": "Array(1.761594, dtype=float32)",
      "2, \"swish\"": "Array(1.761594, dtype=float32, weak_type=True)"
    },
    "errors": {
      "[\"relu\"]": "ValueError: Non-hashable static arguments are not supported"
    }
  };
  // ---- Recorded up to here ----

  const types = Object.fromEntries(RECORDED.arguments);
  const { traces, results, errors } = RECORDED;

  /** What `jit` looks at in a call: the type of x, with its shape, and the value of the static argument. */
  const signature = (x, kind) => `${types[x]}, ${kind}`;

  /**
   * One call: what it printed, returned or raised, and the cache after it. A cache is a list of signatures; the
   * one that is passed in stays as it is.
   */
  function call(cache, x, kind) {
    const shown = { code: `activate(${x}, ${kind})` };
    if (kind in errors) return { ...shown, cache, how: "refused", error: errors[kind] };
    const key = signature(x, kind), result = results[`${x}, ${kind}`];
    if (cache.includes(key)) return { ...shown, cache, how: "reused", key, result };
    return { ...shown, cache: [...cache, key], how: "traced", key, printed: traces[key].printed, result };
  }

  /** How many calls of a sequence make Python run. */
  function countTraces(calls) {
    let cache = [];
    for (const [x, kind] of calls) ({ cache } = call(cache, x, kind));
    return cache.length;
  }

  /** What happened in a call, in words. */
  function words({ how, key }, cache) {
    const place = cache.indexOf(key) + 1;
    if (how === "refused") return "An error, before anything is looked up: a static value has to be hashable, and a list isn’t. The cache stays as it was.";
    if (how === "reused") return `Reused: entry ${place} has this signature, so the call goes straight to the machine code. Python doesn’t run, and nothing is printed.`;
    const weak = key.startsWith("~") ? " The ~ marks a weak type: x is a Python number, which counts as a different type from an array of the same shape and dtype." : "";
    return `Traced: there was no entry for ${key}, so Python ran and printed its line. The record is now entry ${place}.${weak}`;
  }

  return { RECORDED, signature, call, countTraces, words };
})();

// ---- The figure ----

Live.figure("fig-jit-stages", {
  caption: "A compiled function and its cache. (The argument kind is static: the function is traced for each of its values, as explained below.) Choose the arguments and call it, as often as you like. Before each call, predict: will Python run, and its line be printed? Other numbers, another length, a Python number, another kind: which of them costs a trace?",
  build(stage) {
    let cache, history;
    const options = (texts) => texts.map((text) => [text, text]);
    const x = Live.choice({ label: "x =", options: options(Trace.RECORDED.arguments.map(([text]) => text)) });
    const kind = Live.choice({ label: "kind =", options: options(Trace.RECORDED.kinds) });

    // The stages, as in the printed figure: [name, left, top]; and the ways between them: [from, to, verb].
    const STAGES = { call: [2, 88], "Python function": [2, 8], jaxpr: [137, 8], StableHLO: [272, 8], "machine code": [272, 88], result: [272, 168] };
    const WAYS = {
      "call Python function": ["M45 86V54", "new", 51, 74, "start"],
      "Python function jaxpr": ["M90 29H133", "trace", 112, 22, "middle"],
      "jaxpr StableHLO": ["M225 29H268", "lower", 247, 22, "middle"],
      "StableHLO machine code": ["M315 52V84", "compile", 309, 74, "end"],
      "call machine code": ["M90 109H268", "found in the cache", 179, 102, "middle"],
      "machine code result": ["M315 132V164", "run", 309, 154, "end"],
    };
    const ROUTES = {
      traced: ["call Python function", "Python function jaxpr", "jaxpr StableHLO", "StableHLO machine code", "machine code result"],
      reused: ["call machine code", "machine code result"],
      refused: [],
    };
    const picture = Live.svg("svg", { viewBox: "0 0 360 214", role: "img" });
    const marker = (name) => Live.svg("marker", { id: `live-head-${name}`, viewBox: "0 0 8 8", refX: 6, refY: 4, markerWidth: 9, markerHeight: 9, markerUnits: "userSpaceOnUse", orient: "auto" },
      Live.svg("path", { d: "M0 0L8 4L0 8z", class: `live-head-${name}` }));
    picture.append(Live.svg("defs", {}, marker("on"), marker("off")));
    const ways = {}, boxes = {};
    for (const [name, [d, verb, left, top, anchor]] of Object.entries(WAYS)) {
      ways[name] = Live.svg("g", { "aria-hidden": "true" }, Live.svg("path", { d }), Live.svg("text", { x: left, y: top, "text-anchor": anchor }, verb));
      picture.append(ways[name]);
    }
    for (const [name, [left, top]] of Object.entries(STAGES)) {
      boxes[name] = Live.svg("g", { "aria-hidden": "true" },
        Live.svg("rect", { x: left, y: top, width: 86, height: 42, rx: 6 }),
        ...name.split(" ").map((word, line, { length }) => Live.svg("text", { x: left + 43, y: top + 25.5 + 15 * (line - (length - 1) / 2), "text-anchor": "middle" }, word)));
      picture.append(boxes[name]);
    }

    // Not a <pre>: the theme decides for those whether the keyboard reaches them, before there is anything to scroll.
    const session = Live.element("div", { class: "live-code live-session", tabindex: 0, role: "group", "aria-label": "The calls so far" });
    const words = Live.element("p", { class: "live-said live-lines", role: "status" });
    const heading = Live.element("p", { class: "live-said" });
    const entries = Live.element("ol", { class: "live-entries" });
    stage.append(
      Live.element("pre", { class: "live-code" }, Trace.RECORDED.code),
      Live.element("div", { class: "live-controls" }, x.node, kind.node),
      Live.element("div", { class: "live-player live-controls" }, Live.button("Call", press), Live.button("Empty the cache", () => { empty(); show(null); })),
      words,
      Live.element("div", { class: "live-row" }, picture, session),
      heading, entries);

    function empty() {
      cache = [];
      history = [];
    }
    function press() {
      const called = Trace.call(cache, x.value, kind.value);
      cache = called.cache;
      history.push(called);
      show(called);
    }
    function show(called) {
      const route = called ? ROUTES[called.how] : [];
      for (const [name, way] of Object.entries(ways)) {
        const on = route.includes(name);
        Live.set(way, { class: on ? "live-way live-on" : "live-way" });
        Live.set(way.firstChild, { "marker-end": `url(#live-head-${on ? "on" : "off"})` });
      }
      for (const [name, box] of Object.entries(boxes)) {
        const on = called && (name === "call" || route.some((way) => way.endsWith(name)));
        Live.set(box, { class: on ? "live-stop live-on" : "live-stop" });
      }
      Live.set(picture, { "aria-label": `The path of this call: ${["call", ...Object.keys(STAGES).filter((name) => route.some((way) => way.endsWith(name)))].join(", ")}.` });
      session.replaceChildren(...history.flatMap(({ code, printed, result, error }) => [
        `>>> ${code}\n`, ...(printed ? [Live.element("strong", {}, printed), "\n"] : []), `${result ?? error}\n`]));
      session.scrollTop = session.scrollHeight;
      const traced = history.filter(({ how }) => how === "traced").length;
      heading.textContent = `Calls: ${history.length}. Traces: ${traced}. The cache: ${cache.length ? "" : "empty"}`;
      entries.replaceChildren(...cache.map((key, place) => {
        const used = called?.key === key;
        const head = Live.element("code", {}, `x: ${key.replace(", ", ", kind: ")}`);
        return Live.element("li", { class: used ? "live-used" : null }, head,
          used ? ` ← ${called.how === "traced" ? "new" : "used"}` : "",
          Live.element("pre", { class: "live-code" }, Trace.RECORDED.traces[key].jaxpr));
      }));
      words.textContent = called ? `Call ${history.length}. ${Trace.words(called, cache)}` : "The cache is empty, as it is when Python starts.";
    }
    empty();
    press();
  },
});
