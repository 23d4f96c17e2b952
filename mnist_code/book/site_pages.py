"""A Sphinx extension for pages that are light and quiet.

It folds long outputs of cells, mends roles and names that a screen reader trips over, and gives
each page the scripts that belong on it. sphinx-thebe adds its settings to each page twice, which is
an error in every browser's console, and names a host to load more from; no page of this book runs
its code. Jupyter Book adds each script of `_static` to every page; `SCRIPTS` says which page needs
which.
"""

from __future__ import annotations

import json
from typing import Any

from myst_nb.sphinx_ import HideCodeCellNode  # type: ignore[import-untyped]
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

LONGEST = 24  # lines of an output that still stands open
MENDED = {
    # A list's children must be items, and bibliography entries have a role of their own.
    ' role="list" class="citation-list"': ' class="citation-list"',
    # What is seen names it: "Show code cell source".
    '<summary aria-label="Toggle hidden content">': "<summary>",
}
# Scripts of `_static` that one page needs, in the order in which they run.
SCRIPTS = {
    "chapters/04_initialization": ["live/live.js", "live/scale.js"],
    "chapters/05_forward_pass": ["live/live.js", "live/activations.js"],
    "chapters/06_vmap": ["live/live.js", "live/axes.js"],
    "chapters/07_autodiff": ["live/live.js", "live/descent.js", "live/reverse.js"],
    "chapters/08_two_numbers": ["live/live.js", "live/step_size.js"],
    "chapters/09_jit": ["live/live.js", "live/trace.js"],
    "draw": ["network.js", "draw.js"],
}
ONLY_THERE = {name for names in SCRIPTS.values() for name in names}


def choose_scripts(
    app: Sphinx, page: str, _template: str, context: dict, _doctree: Any
) -> None:
    """Give a page every script and style once, its own after the others, and no other page's."""
    own = SCRIPTS.get(page, [])
    if app.builder.name == "singlehtml":  # one page is all of them
        own = list(dict.fromkeys(name for names in SCRIPTS.values() for name in names))
    for place, name in enumerate(own):
        app.add_js_file(name, priority=900 + place, defer="defer")
    for kind in ("script_files", "css_files"):
        kept: dict[str, Any] = {}
        for file in context[kind]:
            attributes = getattr(file, "attributes", {})
            text = f"{file.filename} {attributes.get('body', '')}"
            stray = any(text.strip().endswith(name) for name in ONLY_THERE)
            if "thebe" not in text.lower() and (not stray or "defer" in attributes):
                kept.setdefault(text, file)
        context[kind] = list(kept.values())


def mend_roles(
    _app: Sphinx, _page: str, _template: str, context: dict, _doctree: Any
) -> None:
    """Replace what other extensions wrote wrong."""
    for wrong, right in MENDED.items():
        if "body" in context:
            context["body"] = context["body"].replace(wrong, right)


class Unfold(SphinxPostTransform):
    """Open folded cells where nothing can be clicked, or where the folding node is unknown."""

    default_priority = 200  # right after MyST-NB has folded them

    def run(self, **_: Any) -> None:
        """Replace each folding node by what it folds."""
        if self.app.builder.name not in ("html", "dirhtml"):
            for node in list(self.document.findall(HideCodeCellNode)):
                node.replace_self(node.children)


def fold_long_outputs(_app: Sphinx | None, _page: str, source: list[str]) -> None:
    """Tag cells of a notebook whose output is long, so that it waits behind a line to open it."""
    if not source[0].startswith("{"):
        return
    notebook = json.loads(source[0])
    for cell in notebook["cells"]:
        lines = 0
        for output in cell.get("outputs", []):
            text = output.get("text") or output.get("data", {}).get("text/plain", "")
            lines += "".join(text).count("\n")
        if lines > LONGEST:
            cell["metadata"].setdefault("tags", []).append("hide-output")
    source[0] = json.dumps(notebook)


def setup(app: Sphinx) -> dict[str, bool]:
    """Read before the notebooks' parser; drop after the extensions that add scripts."""
    app.add_post_transform(Unfold)
    app.connect("source-read", fold_long_outputs)
    app.connect("html-page-context", choose_scripts, priority=900)
    app.connect("html-page-context", mend_roles)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
