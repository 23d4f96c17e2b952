"""A classifier of handwritten digits in pure JAX: the program of "Your First Program in JAX".

Modules, in the order in which data flow: `data`, `model`, `evaluation`, `augment`, `recipes`,
`training`, `parallel`, `processes`, `storage`, `checkpoint`, `export`, `serve`, `plots`, `cli`.
"""

from mnist_code.quiet import suppress_notices as _suppress_notices

__version__ = "0.1.0"

_suppress_notices()
