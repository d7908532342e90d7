"""What fuzzing found: told apart by where it breaks, made small, and kept as text for ever."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fuzz import limits, targets

REGRESSIONS = Path(__file__).with_name("regressions")
LARGEST = 16 * 1024  # bytes that are kept as hex; for more, write a generator into the tests
_SHRINKING = 30.0  # seconds of CPU for making one input small


@dataclass(frozen=True, slots=True)
class Defect:
    """An input that a target does not stand; `signature` is the same for inputs that break in the same place."""

    target: str
    signature: str
    content: bytes

    def save(self, folder: Path = REGRESSIONS) -> Path:
        """Write it as a text file: two lines of words, then hex."""
        if len(self.content) > LARGEST:
            raise ValueError(f"{len(self.content)} bytes are too many to keep: write a generator")
        name = f"{slug(self.target)}-{hashlib.sha256(self.content).hexdigest()[:8]}.hex"
        digits = self.content.hex()
        rows = [digits[start : start + 96] for start in range(0, len(digits), 96)]
        (folder / name).write_text("\n".join([f"# target: {self.target}", f"# {self.signature}", *rows]) + "\n")
        return folder / name


def slug(name: str) -> str:
    """Return the target's name for use in a file name."""
    return name.replace(" ", "-")


def load(path: Path) -> tuple[str, bytes]:
    """Return target and content of a kept input."""
    first, *rest = path.read_text().splitlines()
    return first.removeprefix("# target: "), bytes.fromhex("".join(row for row in rest if not row.startswith("#")))


def find(target: targets.Target, content: bytes) -> Defect | None:
    """Give content to the target within the limits; return what is wrong, if anything."""
    try:
        with limits.limited():
            targets.run(target, content)
    except (Exception, limits.TooSlowError) as error:  # noqa: BLE001 - everything is a defect
        return Defect(target.name, _signature(error), content)
    return None


def shrink(defect: Defect, check: Callable[[bytes], Defect | None]) -> Defect:
    """Return the defect with as many pieces of its input left out as it survives."""
    smallest, size = defect, max(1, len(defect.content) // 2)
    end = time.process_time() + _SHRINKING
    while size and time.process_time() < end:
        start = 0
        while start < len(smallest.content) and time.process_time() < end:
            shorter = smallest.content[:start] + smallest.content[start + size :]
            found = check(shorter)
            if found and found.signature == smallest.signature:
                smallest = found
            else:
                start += size
        size //= 2
    return smallest


def _signature(error: BaseException) -> str:
    """Return the error's type, the last function of ours that it went through, and its words without numbers."""
    words = re.sub(r"[0-9]+", "N", ascii(str(error)))[:120]
    if isinstance(error, limits.TooSlowError):
        return f"{type(error).__name__}: {words}"  # where the time was up is chance
    place, trace = "?", error.__traceback__
    while trace:  # by hand: a thousand frames of a recursion would be read from their files
        code, trace = trace.tb_frame.f_code, trace.tb_next
        place = f"{Path(code.co_filename).name} {code.co_name}" if "weighlock" in code.co_filename else place
    return f"{type(error).__name__} in {place}: {words}"
