"""A Sphinx extension that shows types as the source writes them: `Float[Array, "batch 784"]`.

Autodoc evaluates them, and would show `Float[jaxlib._jax.Array, 'batch 784']`.
"""

import importlib
import inspect
import re
import sys
from typing import Any

from docutils import nodes  # type: ignore[import-untyped]
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.nodes import make_refnode


def shape_signature(thing: Any) -> tuple[str, str | None]:
    """Arguments and result of a function, compiled or not, or of a class; no type is evaluated."""
    text = str(inspect.signature(thing))
    text = re.sub(r"""ForwardRef\(((["']).*?\2)\)""", r"\1", text)  # of a named tuple
    text = re.sub(r"""(: |-> )(["'])(.*?)\2""", r"\1\3", text)  # types are strings
    arguments, _, result = text.replace("(self)", "()").partition(" -> ")
    return arguments, None if inspect.isclass(thing) else result


def field_comments(cls: type) -> dict[str, str]:
    """What the comment, or the help text, beside each field of a class says."""
    fields = getattr(cls, "__dataclass_fields__", {}).items()
    found = re.findall(r"^    (\w+): .*  # (.+)", inspect.getsource(cls), re.M)
    helps = [(name, f.metadata["help"]) for name, f in fields if f.metadata.get("help")]
    return dict(helps + found)


def on_signature(
    _app: Sphinx,
    what: str,
    _name: str,
    thing: Any,
    _options: Any,
    arguments: str,
    _result: str,
) -> tuple[str, str | None] | None:
    """Write the signature, unless the page gives one, with types."""
    wanted = what in ("function", "class", "method") and ":" not in (arguments or "")
    return shape_signature(thing) if wanted else None


def on_docstring(
    _app: Sphinx, what: str, _name: str, thing: Any, _options: Any, lines: list[str]
) -> None:
    """After Napoleon: add fields, drop `int`'s docstring from numbers, fix two misreadings."""
    if what == "class":
        fields = [
            f":param {name}: {text}" for name, text in field_comments(thing).items()
        ]
        lines += ["", *fields]
    elif what == "data":
        lines.clear()
    # Napoleon takes a sentence with a colon for a type, and one after Raises for an error.
    for i, line in enumerate(lines):
        line = re.sub(r"^:returns: \*(.+?)\* -- ", r":returns: \1: ", line)
        lines[i] = re.sub(r"^:raises (\w+ .+):$", r":raises: \1", line)


def on_doctree(_app: Sphinx, doctree: nodes.document) -> None:
    """Put strings in types between the quotes of the source."""
    for node in doctree.findall(addnodes.desc_sig_literal_string):
        node[:] = [nodes.Text(f'"{node.astext()[1:-1]}"')]


def on_missing(app: Sphinx, env: Any, node: Any, content: Any) -> Any:
    """Link a short name to the one object that has it; leave plain what the module imports."""
    if not (module := node.get("py:module")):
        return None
    name, objects = node["reftarget"], env.get_domain("py").objects
    if len(found := [o for k, o in objects.items() if k.endswith(f".{name}")]) == 1:
        page, place = found[0].docname, found[0].node_id
        return make_refnode(app.builder, node["refdoc"], page, place, content)
    importlib.import_module(module)
    parts = [
        part for key, part in sys.modules.items() if f"{key}.".startswith(f"{module}.")
    ]
    known = any(hasattr(part, name.split(".")[0]) for part in parts)
    return content if known else None


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the functions above."""
    app.connect("autodoc-process-signature", on_signature)
    app.connect("autodoc-process-docstring", on_docstring, priority=600)
    app.connect("doctree-read", on_doctree)
    app.connect("missing-reference", on_missing)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
