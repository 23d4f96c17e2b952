"""A Sphinx extension that trims the built pages and fixes their markup.

It folds long outputs of cells, fixes roles and names that trip up a screen reader, and gives
each page the scripts that belong on it. sphinx-thebe adds its settings to each page twice, which is
an error in every browser's console, and names a host to load more from; no page of this book runs
its code. Jupyter Book adds each script of `_static` to every page; `SCRIPTS` says which page needs
which. Readers who download a chapter find the package that it imports in the same menu.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from myst_nb.sphinx_ import HideCodeCellNode  # type: ignore[import-untyped]
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

LONGEST = 24  # lines; longer outputs are folded
FIXES = {
    # A list's children must be items, and bibliography entries have a role of their own.
    ' role="list" class="citation-list"': ' class="citation-list"',
    # The visible text, "Show code cell source", is the better name.
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
    "draw": ["images.js", "canvas.js", "network.js", "draw.js"],
    "train": [
        "live/live.js",
        "images.js",
        "canvas.js",
        "train/digits.js",
        "train/enlarge.js",
        "train/engine.js",
        "train/safetensors.js",
        "train/worker.js",
        "train/curves.js",
        "train/train.js",
    ],
}
PACKAGE = "mnist_code.zip"  # what `pip install` takes, beside the front page
PACKED = (
    "pyproject.toml",
    "requirements.txt",
    "constraints.txt",
    "README.md",
    "LICENSE",
)
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


def fix_roles(
    _app: Sphinx, _page: str, _template: str, context: dict, _doctree: Any
) -> None:
    """Fix markup that other extensions got wrong."""
    for wrong, right in FIXES.items():
        if "body" in context:
            context["body"] = context["body"].replace(wrong, right)


def offer_package(
    _app: Sphinx, _page: str, _template: str, context: dict, _doctree: Any
) -> None:
    """Put the package beside the notebook in the menu that downloads a chapter."""
    if context.get("page_source_suffix") != ".ipynb":
        return
    for group in context.get("header_buttons", []):
        if group.get("label") == "download-buttons":
            button = {
                "type": "link",
                "url": context["pathto"](PACKAGE, 1),
                "text": PACKAGE,
                "tooltip": f"The notebook imports it: pip install {PACKAGE}",
                "icon": "fas fa-file",
                "label": "download-package-button",
            }
            group["buttons"].insert(1, button)


def pack(app: Sphinx, error: Exception | None) -> None:
    """Write the package, in a folder of its own, for those who have only the pages."""
    if error is not None or app.builder.format != "html":
        return
    root = Path(app.srcdir)
    files = [path for path in (root / "mnist_code").rglob("*.*") if path.is_file()]
    names = sorted(path.relative_to(root).as_posix() for path in files)
    with zipfile.ZipFile(app.outdir / PACKAGE, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in (*PACKED, *names):
            if "__pycache__" not in name:
                # Without the date of the file, the same files make the same archive.
                archive.writestr(
                    zipfile.ZipInfo(f"mnist_code/{name}"),
                    (root / name).read_bytes(),
                    zipfile.ZIP_DEFLATED,
                )


class Unfold(SphinxPostTransform):
    """Open folded cells where nothing can be clicked, or where the folding node is unknown."""

    default_priority = 200  # right after MyST-NB has folded them

    def run(self, **_: Any) -> None:
        """Replace each folding node by what it folds."""
        if self.app.builder.name not in ("html", "dirhtml"):
            for node in list(self.document.findall(HideCodeCellNode)):
                node.replace_self(node.children)


def fold_long_outputs(_app: Sphinx | None, _page: str, source: list[str]) -> None:
    """Tag cells of a notebook whose output is long, so that it stays folded until opened."""
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
    """Read before the notebooks' parser; change pages after the extensions that add to them."""
    app.add_post_transform(Unfold)
    app.connect("source-read", fold_long_outputs)
    app.connect("html-page-context", choose_scripts, priority=900)
    app.connect("html-page-context", offer_package, priority=900)
    app.connect("html-page-context", fix_roles)
    app.connect("build-finished", pack)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
