"""A classifier of handwritten digits in pure JAX: the program of "Your First Program in JAX".

Start with Part I: `model`, `evaluation`, `learning`. The README has a map of all modules.
"""

from mnist_code.quiet import suppress_notices as _suppress_notices

__version__ = "0.1.0"

_suppress_notices()
