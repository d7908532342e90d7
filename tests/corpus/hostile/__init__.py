"""The hostile corpus: generators of model files that harm whoever loads them, one module for each family of attacks.

Nothing is stored: a file exists while a test or the scorecard looks at it. Payloads are tame (``true``, a file that is
not there, a name that never resolves), and nothing here or in the tests loads a file. Some files harm nobody and only
hide or lie (`Case.held`): a bomb, a pointer in place of the weights, a header that claims more than the file. Such a
file has to be held back, and calling it hostile would be too much.

A new attack is a `Case` from its family's module; a new family is a module with ``cases()`` and its name in `FAMILIES`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

FAMILIES = (
    "pickle_globals",
    "pickle_gadgets",
    "pickle_structure",
    "pickle_targets",
    "pickle_streams",
    "arrays",
    "torches",
    "archives",
    "naming",
    "keras",
    "graphs",
    "onnx_models",
    "gguf",
    "configs",
    "loaders",
    "rdata",
    "bundles",
    "others",
)


@dataclass(frozen=True, slots=True)
class Case:
    """One hostile file."""

    name: str
    family: str
    path: str
    """The file's name in its model."""
    build: Callable[[], bytes]
    effect: str
    """What happens to whoever loads it, in words."""
    reaches: str = ""
    """For a pickle: what `truth.events` has to see, such as ``call os.system``; empty for other formats."""
    held: bool = False
    """It harms nobody as it stands; it hides, lies or cannot be read, and must not pass either."""
    beside: Mapping[str, bytes] = field(default_factory=dict)
    """Other files of the same model."""

    def __str__(self) -> str:
        return f"{self.family}/{self.name}"


Content = bytes | Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Family:
    """Makes the cases of one family."""

    name: str

    def case(
        self,
        name: str,
        path: str,
        content: Content,
        effect: str,
        reaches: str = "",
        *,
        held: bool = False,
        beside: Mapping[str, bytes] | None = None,
    ) -> Case:
        """Return a case; content that takes long to make may be a function."""
        build = (lambda: content) if isinstance(content, bytes) else content
        return Case(name, self.name, path, build, effect, reaches, held, beside or {})


def write(case: Case, folder: Path) -> Path:
    """Write the case's model into the folder and return where its file is."""
    for name, data in {**case.beside, case.path: case.build()}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder / case.path


def cases() -> list[Case]:
    """Return every case, in the order of `FAMILIES`."""
    return [case for family in FAMILIES for case in _of(family)]


def _of(module: str) -> Iterator[Case]:
    made: Iterator[Case] = importlib.import_module(f"corpus.hostile.{module}").cases()
    return made
