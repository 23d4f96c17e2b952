"""Record what JAX does in calls of a compiled function: `python tools/record_traces.py`.

Chapter 9's live figure has no JAX in it. This script calls the function with all the arguments that
the figure offers and writes into `_static/live/trace.js` what was printed, traced, and returned.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import json
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

FILE = Path(__file__).parent.parent / "_static" / "live" / "trace.js"
BEGIN, END = "  const RECORDED = ", ";\n  // ---- Recorded up to here ----"

ARGUMENTS = (
    "jnp.array([-1.0, 2.0])",
    "jnp.array([3.0, 0.5])",
    "np.array([-1.0, 2.0], np.float32)",
    "jnp.array([-1.0, 2.0, 0.5])",
    "jnp.array([[-1.0, 2.0]])",
    "jnp.array([-1, 2])",
    "jnp.float32(2.0)",
    "2.0",
    "-1.5",
    "jnp.int32(2)",
    "2",
)
KINDS = ('"relu"', '"swish"', '["relu"]')


def compiled():
    """The function with a cache of its own."""

    @partial(jax.jit, static_argnames="kind")
    def activate(x, kind):
        print("Python runs, with x =", x)
        if kind == "relu":
            return jnp.maximum(x, 0)
        return x / (1 + jnp.exp(-x))

    return activate


def value(text: str):
    """The argument that a piece of Python stands for."""
    return eval(text, {"jnp": jnp, "np": np})


def call(activate, x: str, kind: str) -> tuple[str, str]:
    """Call the function with what is written, and return what it printed and its result."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        result = activate(value(x), value(kind))
    return printed.getvalue().strip(), repr(result)


@jax.numpy_dtype_promotion("standard")
def record() -> dict:
    """Everything the figure knows about JAX."""
    activate = compiled()
    types = {x: str(jax.typeof(value(x))) for x in ARGUMENTS}
    traces, results, errors = {}, {}, {}
    for kind in KINDS:
        for x in ARGUMENTS:
            try:
                printed, results[f"{x}, {kind}"] = call(activate, x, kind)
            except ValueError as error:
                # As in the chapter, the first sentence will do.
                errors[kind] = f"ValueError: {str(error).split('.')[0]}"
                continue
            if printed:
                jaxpr = activate.trace(value(x), value(kind)).jaxpr
                text = jaxpr.pretty_print(use_color=False)
                traces[f"{types[x]}, {kind}"] = {"printed": printed, "jaxpr": text}
    code = inspect.cleandoc("\n" + inspect.getsource(activate.__wrapped__))
    return {
        "code": code,
        "kinds": list(KINDS),
        "arguments": [list(pair) for pair in types.items()],
        "traces": traces,
        "results": results,
        "errors": errors,
    }


def main() -> None:
    """Write the record between the two lines of the script that hold it."""
    text = FILE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest[rest.index(END) :]
    table = json.dumps(record(), ensure_ascii=False, indent=2).replace("\n", "\n  ")
    FILE.write_text(before + BEGIN + table + after, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
