"""The command line: `stdpjax reproduce`, `run STUDY`, `sweep STUDY`, `train`, `fit`, `list`.

A STUDY is the name of one of the paper's, or a file of one's own: `my_study.py`, `my_study.py:NAME`.

Bad input gets one line on standard error and exit code 2; an interrupt exit code 130.
"""

from stdpjax.cli.commands import main

__all__ = ["main"]
