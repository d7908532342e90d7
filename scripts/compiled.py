"""Keep compiled modules of what stands outside an environment in the environment: `launch.py` puts this into each.

The action's own folder may be read-only, or shared by jobs, so nothing is written there. ``-X pycache_prefix`` would say
so in fewer words, but it also hides what is already compiled of the standard library, and to compile that again takes
half a second. The interpreter imports this as it starts, in every process of the environment.
"""

from __future__ import annotations

import os
import sys
from importlib import machinery
from types import CodeType


class Loader(machinery.SourceFileLoader):
    """Reads modules from their source, and their compiled form from the environment."""

    def get_code(self, fullname: str) -> CodeType | None:
        """Return the code of a module; it is compiled where nothing newer is kept."""
        kept, sys.pycache_prefix = sys.pycache_prefix, os.path.join(sys.prefix, "pycache")  # noqa: PTH118 - starts sooner
        try:
            return super().get_code(fullname)
        finally:
            sys.pycache_prefix = kept


_LOADERS = (
    (machinery.ExtensionFileLoader, machinery.EXTENSION_SUFFIXES),
    (Loader, machinery.SOURCE_SUFFIXES),
    (machinery.SourcelessFileLoader, machinery.BYTECODE_SUFFIXES),
)


def outside(folder: str) -> machinery.FileFinder:
    """Return the finder of a folder that belongs neither to the environment nor to its Python."""
    if folder.startswith((sys.prefix + os.sep, sys.base_prefix + os.sep)) or not os.path.isdir(folder):  # noqa: PTH112
        raise ImportError(folder)
    return machinery.FileFinder(folder, *_LOADERS)


sys.path_hooks.insert(0, outside)
