"""The pre-commit hook: scan the models that the files about to be committed belong to, each as a whole.

    weighlock-hook FILE...

Files are shown their model, since some explain each other (the shards of a checkpoint, external tensors); what belongs
to no model passes at once. Results are kept by digest, so a model is read again and again, but scanned once.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from weighlock import __main__ as console
from weighlock import finding
from weighlock.git import Repository

_SNIFFED = 100_000_000  # bytes; a larger file is taken for a model without a look


def main(words: Sequence[str] | None = None) -> int:
    """Scan the models that these files belong to; return the worst exit code of a scan, 0 where there is none."""
    files = list(sys.argv[1:] if words is None else words)
    return max([console.main(["scan", f"./{model}"]) for model in _models(files)], default=0)


def _models(files: Sequence[str]) -> Iterator[str]:
    """Yield the models of the repository here that these files belong to; a file that is one by its content alone, too."""
    known = finding.models(Repository.at(Path()).present())
    found: dict[str, None] = {}
    for file in files:
        owners = finding.owners(file, known)
        if owners or _is_model(Path(file)):
            found[owners[0] if owners else file] = None
    yield from found


def _is_model(file: Path) -> bool:
    """Tell whether a file that lies in no model is one by its content."""
    if file.is_symlink() or not file.is_file():
        return False
    return file.stat().st_size > _SNIFFED or finding.holds_model(str(file), file.read_bytes())


if __name__ == "__main__":
    sys.exit(main())
