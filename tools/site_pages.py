"""A Sphinx extension that drops scripts which do not belong on a page.

sphinx-thebe adds its settings to each page twice, which is an error in every browser's console, and
names a host to load more from; no page of this book runs its code. Jupyter Book adds each script of
`_static` to every page; those of the page `draw` are named there, and belong there alone.
"""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx

UNWANTED = ("thebe", "draw.js", "network.js")


def drop_scripts(
    _app: Sphinx, _page: str, _template: str, context: dict, _doctree: Any
) -> None:
    """Leave every script and style to the page once, and the unwanted ones not at all."""
    for kind in ("script_files", "css_files"):
        kept: dict[str, Any] = {}
        for file in context[kind]:
            text = f"{file.filename} {getattr(file, 'attributes', {}).get('body', '')}"
            if not any(name in text.lower() for name in UNWANTED):
                kept.setdefault(text, file)
        context[kind] = list(kept.values())


def setup(app: Sphinx) -> dict[str, bool]:
    """Run after the extensions that add scripts."""
    app.connect("html-page-context", drop_scripts, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
