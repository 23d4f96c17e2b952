"""What all checks need: a way to call a reader's function, and to explain what's wrong with it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np

# Errors that come from tracing, the most specific first, and what to do about each.
TRACING = [
    (
        jax.errors.TracerBoolConversionError,
        "Python needs to know whether a traced value is true, so use jnp.where "
        "or jax.lax.cond instead of `if`, `while`, `and` or `or`",
    ),
    (
        jax.errors.TracerArrayConversionError,
        "NumPy cannot compute with a traced array, so use the function of the same name "
        "from jax.numpy",
    ),
    (
        jax.errors.NonConcreteBooleanIndexError,
        "a mask used as an index makes a shape that depends on values, so use jnp.where",
    ),
    (
        jax.errors.ConcretizationTypeError,
        "`int`, `float`, a shape or a loop needs the value of a traced array, "
        "so go on computing with the array itself",
    ),
    (
        jax.errors.TracerIntegerConversionError,
        "Python needs a traced array as an integer, so go on computing with the array itself",
    ),
]

# The same for errors that only their text tells apart.
PHRASES = [
    (
        "immutable",
        "a JAX array cannot be changed in place, so use x.at[...].set(...) or a NumPy copy",
    ),
    *[
        (
            phrase,
            "the bounds of a slice depend on a traced value, so use jax.lax.dynamic_slice, "
            "which takes such a start",
        )
        for phrase in ("be static integers", "static start/stop/step")
    ],
    (
        "concrete values",
        "a shape needs to be known before any values are, so take it from `.shape`",
    ),
]


@contextmanager
def checking(name: str, answer: object) -> Iterator[None]:
    """Run the check called `name` on a reader's function, and praise the reader if it passes.

    The function runs with JAX's own defaults for promotion, whatever the session has set.
    """
    assert callable(answer), (
        f"Pass the function itself, as in {name}(my_function): {name} received {kind(answer)}."
    )
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield
    print(f"Right: {name} found nothing wrong.")


def call(
    function: Callable,
    *arguments: Any,
    name: str = "your function",
    case: str = "",
    on_shapes: str = "",
) -> Any:
    """Call a reader's function, and turn a crash or a missing `return` into one sentence.

    Args:
        function: the reader's function.
        arguments: what it should accept.
        name: what to call it in the sentence.
        case: what the arguments are, such as "under jit".
        on_shapes: advice for an error about shapes.

    Raises:
        AssertionError: the function cannot be called, raises an error or returns None.
    """
    name = _first(name)
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        pass  # some built-in functions have none
    else:
        _check_signature(signature, arguments, name)
    case = f" {case}" if case else ""
    try:
        result = function(*arguments)
    except Exception as error:
        reason = _reason(error, on_shapes)
        raise AssertionError(
            f"{name} raises {type(error).__name__}{case}: {reason}."
        ) from error
    assert result is not None, f"{name} returns None{case}: is a `return` missing?"
    return result


def _check_signature(
    signature: inspect.Signature, arguments: Sequence[Any], name: str
) -> None:
    try:
        signature.bind(*arguments)
    except TypeError:
        raise AssertionError(
            f"{name} should accept {len(arguments)} "
            f"argument{'s' * (len(arguments) != 1)}, but its signature is {signature}."
        ) from None


def _reason(error: Exception, on_shapes: str) -> str:
    """Explain an error: with advice if there is some, or with the first line of its message."""
    for kind_of_error, advice in TRACING:
        if isinstance(error, kind_of_error):
            return advice
    text = str(error).strip()
    if isinstance(error, OverflowError):
        return "an exponential overflows, so subtract the largest number first"
    for phrase, advice in PHRASES:
        if phrase in text:
            return advice
    first = text.splitlines()[0].rstrip(".:") if text else "it gives no reason"
    about_shapes = any(word in text for word in ("shape", "sizes", "dimension"))
    return f"{first}; {on_shapes}" if on_shapes and about_shapes else first


def _first(name: str) -> str:
    """Capitalize a name for the start of a sentence, unless it is a name in Python."""
    return f"{name[0].upper()}{name[1:]}" if " " in name else name


def kind(value: object) -> str:
    """What a value is, in a word or two: "None", "a list", "an array of shape (5,)"."""
    if value is None:
        return "None"
    if isinstance(value, np.ndarray | jax.Array):
        return f"an array of shape {value.shape}"
    name = type(value).__name__
    if isinstance(value, tuple | list):
        return f"a {name} of length {len(value)}"
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def unpack(result: Any, *names: str, name: str = "your function") -> tuple:
    """The parts of a tuple or list that a reader's function returns, one for each name."""
    has_parts = isinstance(result, tuple | list) and len(result) == len(names)
    assert has_parts, (
        f"{_first(name)} should return {', '.join(names[:-1])} and {names[-1]}, "
        f"{len(names)} values in that order, but returns {kind(result)}."
    )
    return tuple(result)


def numbers(value: Any, name: str = "what your function returns") -> np.ndarray:
    """Convert an array, a number or a list of numbers to a NumPy array."""
    try:
        array = np.asarray(value)
    except Exception:
        array = np.asarray(None)
    assert array.dtype.kind in "biuf", (
        f"{_first(name)} should consist of numbers, but is {kind(value)}."
    )
    return array


def check_shape(
    array: np.ndarray, shape: tuple[int, ...], name: str, advice: str = ""
) -> None:
    """Refuse an array of another shape."""
    assert array.shape == shape, (
        f"{_first(name)} should have shape {shape}, not {array.shape}"
        f"{advice and ': '}{advice}."
    )


def compare(
    found: np.ndarray | float,
    right: np.ndarray | float,
    mistakes: Sequence[tuple[Any, str]],
    otherwise: str,
    case: str,
    name: str = "",
    tolerance: float = 1e-4,
) -> None:
    """Refuse a wrong value, and name the mistake that leads to it.

    Args:
        found: a reader's value, in the right shape.
        right: the right value.
        mistakes: values that typical mistakes lead to, each with a clause that names its mistake.
        otherwise: the clause for any other value.
        case: what the reader's function was called with, such as "For 5 labels".
        name: what the value is, if it is not all that the function returns.
        tolerance: how far off a value may be, relative to the largest right value.

    Raises:
        AssertionError: the value is wrong.
    """
    if _is_close(found, right, tolerance):
        return
    why = next(
        (clause for value, clause in mistakes if _is_close(found, value, tolerance)),
        otherwise,
    )
    raise AssertionError(f"{case}, {_difference(found, right, name)}: {why}.")


def _is_close(found: Any, other: Any, tolerance: float) -> bool:
    found, other = np.asarray(found, np.float64), np.asarray(other, np.float64)
    if found.shape != other.shape:
        return False
    scale = np.abs(other).max()
    return bool(
        np.isfinite(scale) and (np.abs(found - other) <= tolerance * scale).all()
    )


def _difference(found: Any, right: Any, name: str) -> str:
    """Say what the value should be and what it is; of an array, where the two differ most."""
    found, right = np.asarray(found, np.float64), np.asarray(right, np.float64)
    if found.ndim == 0 and name:
        return f"{name} should be {right:,.7g}, but is {found:,.7g}"
    if found.ndim == 0:
        return f"your function should return {right:,.7g}, but returns {found:,.7g}"
    error = np.where(np.isfinite(found), np.abs(found - right), np.inf)
    place = np.unravel_index(error.argmax(), error.shape)
    where = ", ".join(map(str, place))
    return f"entry [{where}] should be {right[place]:.4g}, but is {found[place]:.4g}"
