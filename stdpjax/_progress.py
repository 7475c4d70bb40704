"""Whether progress is worth drawing."""

import sys


def is_watched() -> bool:
    """Whether somebody would see a progress bar: on a terminal, or in a notebook."""
    # A program may import parts of Jupyter without running in a notebook, whose shell alone has a kernel.
    ipython = sys.modules.get("IPython")
    return sys.stderr.isatty() or (ipython is not None and hasattr(ipython.get_ipython(), "kernel"))
