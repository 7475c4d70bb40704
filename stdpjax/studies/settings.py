"""Fields of a study's configuration: those of `stdpjax.settings`."""

from stdpjax.settings import setting

__all__ = ["setting"]
