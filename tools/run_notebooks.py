"""Run chapters and store what they print: `make notebooks`.

Each notebook runs from top to bottom in a fresh kernel, in its own folder, on MNIST. What is stored
holds no trace of the machine: metadata are cut down to what a reader's Jupyter needs, and absolute
paths to the part inside the package folder.
"""

from __future__ import annotations

import argparse
import base64
import io
import os
import re
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from notebook_environment import ROOT, prepare
from PIL import Image
from tqdm import tqdm

HEAVY = 60_000  # characters of Base64; larger pictures are compressed
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
PATHS = [
    (re.compile(r"[^\s'\"]*/site-packages/"), ""),
    (re.compile(re.escape(str(ROOT)) + "/"), ""),
    (re.compile(r"/tmp/ipykernel_\d+/\d+\.py"), "the cell"),
    (re.compile(r"[^\s'\"]*/lib/python3\.\d+/"), ""),
]


def without_paths(value):
    """Replace the machine's paths in every string of an output."""
    if isinstance(value, str):
        for pattern, replacement in PATHS:
            value = pattern.sub(replacement, value)
        return value
    if isinstance(value, list):
        return [without_paths(item) for item in value]
    if isinstance(value, dict):
        return nbformat.NotebookNode(
            {
                k: v if k.startswith("image/") else without_paths(v)
                for k, v in value.items()
            }
        )
    return value


def merge_streams(outputs):
    """Join the pieces of what a cell printed: where it is split depends on timing."""
    merged: list = []
    for output in outputs:
        if (
            merged
            and output.output_type == merged[-1].output_type == "stream"
            and output.name == merged[-1].name
        ):
            merged[-1].text += output.text
        else:
            merged.append(output)
    return merged


def lighter(picture: str) -> str:
    """A large PNG with 256 colors instead of millions: a third of the bytes, and it looks the same.

    Args:
        picture: the PNG in Base64, as notebooks hold it.
    """
    if len(picture) < HEAVY:
        return picture
    with Image.open(io.BytesIO(base64.b64decode(picture))) as image:
        if image.mode != "RGBA" or image.getchannel("A").getextrema() != (255, 255):
            return picture  # only opaque ones can be reduced well
        few = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
        buffer = io.BytesIO()
        few.save(buffer, "PNG", optimize=True, dpi=image.info.get("dpi"))
    return min(picture, base64.b64encode(buffer.getvalue()).decode(), key=len)


def run(path: Path) -> None:
    """Execute one notebook and write it back, whole or not at all."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=1800,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
    )
    client.execute(env=os.environ)
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        cell.outputs = merge_streams([without_paths(output) for output in cell.outputs])
        for output in cell.outputs:
            # The last line says it; frames differ by version
            if output.output_type == "error":
                output.traceback = [f"{output.ename}: {output.evalue}"]
            data = output.get("data", {})
            if "image/png" in data:
                data["image/png"] = lighter(data["image/png"])
            if "<Figure " in data.get("text/plain", "") and "image/png" not in data:
                raise ValueError(f"the figure of cell {cell.id} has no picture")
    temporary = path.with_suffix(".part")
    nbformat.write(notebook, temporary)
    temporary.replace(path)


def main() -> int:
    """Run the named notebooks, or all chapters."""
    parser = argparse.ArgumentParser(
        description="Run chapters on MNIST and store their outputs."
    )
    parser.add_argument(
        "notebooks",
        nargs="*",
        type=Path,
        help="notebooks to run (default: chapters/*.ipynb)",
    )
    chosen = parser.parse_args().notebooks or sorted(
        (ROOT / "chapters").glob("*.ipynb")
    )
    os.environ.setdefault("MNIST_CODE_DATASET", "mnist")
    prepare(os.environ)
    for path in tqdm(chosen, unit="chapter", disable=None):
        try:
            run(path.resolve())
        except (CellExecutionError, ValueError) as error:
            print(f"error: {path} is left as it was: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
