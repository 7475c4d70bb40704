"""Studies of other people: at a place in a file or module, in installed packages, and how to begin one."""

from stdpjax.lab.own.installed import GROUP, Installed, installed
from stdpjax.lab.own.new import new_study
from stdpjax.lab.own.places import studies_at

__all__ = ["GROUP", "Installed", "installed", "new_study", "studies_at"]
