"""Show the package's own code in a chapter, so that the book never prints a copy of it."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable

from IPython.display import Markdown


def source_of(*objects: Callable) -> Markdown:
    """The source of functions or classes without their docstrings, for a notebook to show.

    Example:
        >>> from mnist_code.learning import learning_rate, update
        >>> print(source_of(learning_rate).data.splitlines()[-2])
            return initial * decay_rate ** (epoch / decay_steps)
        >>> source_of(learning_rate, update).data.count("def ")
        2
    """
    blocks = "\n\n\n".join(_without_docstring(thing) for thing in objects)
    return Markdown(f"```python\n{blocks}\n```")


def _without_docstring(thing: Callable) -> str:
    source = textwrap.dedent(inspect.getsource(inspect.unwrap(thing)))
    lines = source.splitlines()
    definition = ast.parse(source).body[0]
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    assert isinstance(definition, kinds)
    if ast.get_docstring(definition) is not None:
        docstring = definition.body[0]
        del lines[docstring.lineno - 1 : docstring.end_lineno]
    return "\n".join(lines)
