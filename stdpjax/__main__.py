"""`python -m stdpjax` is the command line."""

import sys

from stdpjax.cli import main

if __name__ == "__main__":
    sys.exit(main())
