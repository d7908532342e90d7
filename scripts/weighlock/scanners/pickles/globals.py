"""What a pickle may name: the profiles' exact names decide, and roots grade the rest.

The roots only choose the words: a global that is on no list is not understood, and one below a root that executes,
imports, loads, opens or connects is called dangerous. Nothing is allowed by prefix except the classes that a
TorchScript archive brings along itself.
"""

from __future__ import annotations

import _compat_pickle
import enum
import functools
from importlib import resources

from weighlock.scanners.pickles.profiles import INNER, Names, Use, allowed

STORAGES = {
    "DoubleStorage": 8,
    "FloatStorage": 4,
    "HalfStorage": 2,
    "BFloat16Storage": 2,
    "LongStorage": 8,
    "IntStorage": 4,
    "ShortStorage": 2,
    "CharStorage": 1,
    "ByteStorage": 1,
    "BoolStorage": 1,
    "ComplexDoubleStorage": 16,
    "ComplexFloatStorage": 8,
    "QUInt8Storage": 1,
    "QInt8Storage": 1,
    "QInt32Storage": 4,
    "UntypedStorage": 1,
}
"""Element size in bytes of each class that a tensor storage may name (torch/storage.py)."""


_DEEP = 16  # parts of a dotted name that are compared
_HARMLESS = frozenset(("pathlib", name) for name in ("Path", "PosixPath", "WindowsPath"))
"""Below a root, and yet no more than the name of a file, which whoever uses the model may open."""
LOADER = ("torch.storage", "_load_from_bytes")
"""What a tensor outside of torch's own files is pickled as: torch.load over a string of bytes, which is judged apart."""


class Grade(enum.Enum):
    """What is known of a global."""

    ALLOWED = "allowed"
    UNKNOWN = "unknown"
    DANGEROUS = "dangerous"


def mapped(module: str, name: str) -> tuple[str, str]:
    """Return the Python 3 name of a Python 2 global, as unpicklers map it below protocol 3."""
    both = _compat_pickle.NAME_MAPPING.get((module, name))
    return both or (_compat_pickle.IMPORT_MAPPING.get(module, module), name)


@functools.cache
def names_for(kind: str) -> Names:
    """Return what a pickle of this format may name without a policy; TorchScript has a reader of its own, in C++."""
    return allowed(["torch", INNER]) if kind == "torchscript pickle" else allowed()


def use(module: str, name: str, kind: str, names: Names | None = None) -> Use | None:
    """Return what a pickle of this format may do with a global, None for one that is on no list."""
    if _is_script(module, kind):
        return Use.CALL if name.isidentifier() and not name.startswith("__") else None
    chosen = names_for(kind) if names is None or kind == "torchscript pickle" else names
    return chosen.get(mapped(module, name))


def grade(module: str, name: str, kind: str, names: Names | None = None) -> Grade:
    """Grade a global in a pickle of this format; the raw and the mapped name have to be fine, whatever the protocol.

    `names` are those that a policy chose.
    """
    if use(module, name, kind, names):
        return Grade.ALLOWED
    today = mapped(module, name)
    if _is_script(module, kind):
        return Grade.DANGEROUS
    if "." in name or any(dangerous(*pair) for pair in ((module, name), today)):
        return Grade.DANGEROUS
    return Grade.UNKNOWN


def _is_script(module: str, kind: str) -> bool:
    return kind == "torchscript pickle" and module.split(".", maxsplit=1)[0] == "__torch__"


@functools.cache
def _listed() -> dict[str, frozenset[str]]:
    """Return the lines of ``dangerous.txt`` by their first word."""
    text = (resources.files(__package__) / "dangerous.txt").read_text("utf-8")
    lines = [line.split(maxsplit=1) for line in text.splitlines() if not line.startswith("#")]
    return {kind: frozenset(rest for word, rest in lines if word == kind) for kind in ("root", "module", "name")}


def dangerous(module: str, name: str) -> bool:
    """Tell whether a global executes, imports, loads, opens or connects, or stands where such things do."""
    if (module, name) in _HARMLESS or (module, name) == LOADER:
        return False
    listed = _listed()
    parts = f"{module}.{name}".split(".")[:_DEEP]
    below = any(".".join(parts[:count]) in listed["module"] for count in range(1, len(parts) + 1))
    return below or parts[0] in listed["root"] or f"{module} {name}" in listed["name"]
