"""Profiles: lists of the globals that a pickle may name, and what it may do with each. Data, read for what they do.

A profile is a text file here: its source and version in comments, then one exact name a line, ``USE MODULE NAME``. A
name is on a list because somebody read what it does with hostile arguments, and the use says how far that reading
went. Nothing matches by prefix. `tools/profiles.py` writes the lists that other projects keep.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Iterable, Mapping
from importlib import resources

DEFAULT = ("python", "numpy", "scipy", "joblib", "skops", "sklearn", "sklearn-internals", "pandas", "torch")
"""The profiles whose names only build data."""
INNER = "torchscript"
"""The one that no policy chooses."""


class Use(enum.Enum):
    """What a pickle may do with a global."""

    NAME = "name"
    """Hold it: a function that a model calls when it is used, on the user's data."""
    MAKE = "make"
    """Make an instance without arguments, and give it state."""
    CALL = "call"
    """Call it with anything."""
    APPLY = "apply"
    """Call it, with nothing among its arguments that may not be called itself: it calls what it is given.

    What that returns is not known, so no state is put onto it.
    """
    CONSTRUCT = "construct"
    """Call it likewise, but with any class first: it makes an instance of that."""
    DICT = "dict"
    """As `APPLY`, and put items into what it returns."""
    LIST = "list"
    """Call it, and append to what it returns."""

    @property
    def callable(self) -> bool:
        """Tell whether it may be called with anything at all."""
        return self not in {Use.NAME, Use.MAKE}


Global = tuple[str, str]
Names = Mapping[Global, Use]


def known() -> frozenset[str]:
    """Return the names of all profiles that a policy can choose."""
    files = (entry.name for entry in resources.files(__package__).iterdir())
    return frozenset(name.removesuffix(".txt") for name in files if name.endswith(".txt")) - {INNER}


@functools.cache
def profile(name: str) -> Names:
    """Return the names of one profile; `KeyError` where there is none of that name."""
    if name != INNER and name not in known():
        raise KeyError(name)
    text = (resources.files(__package__) / f"{name}.txt").read_text("utf-8")
    lines = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    return {(module, member): Use(use) for use, module, member in lines}


def allowed(profiles: Iterable[str] = DEFAULT, more: Iterable[str] = ()) -> Names:
    """Return the names of these profiles; `more` are exact ``module.name``, which somebody answers for: they may be called."""
    names = {name: use for each in profiles for name, use in profile(each).items()}
    for name in more:
        module, _, member = name.rpartition(".")
        names.setdefault((module, member), Use.CALL)
    return names
