"""What was built beside the model: wheels, images and whatever else one provenance statement is to cover with it.

Files are named by patterns and hashed here, in one read; others come with their digest: from a list that ``sha256sum``
wrote, as ``NAME@sha256:…``, or from the list that GitHub's runner keeps of what a job made.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from weighlock import jsonio
from weighlock.errors import InputError, MalformedError
from weighlock.intoto import SUBJECT_LIMIT, Subject
from weighlock.model import Entry, weigh
from weighlock.oci import Digest
from weighlock.text import printable

_LIMIT = 1024 * 1024  # bytes of a list; far more than as many lines as there may be subjects
_LINE = re.compile(r"(?P<escaped>\\?)(?P<hex>[0-9a-f]{64}) [ *](?P<name>.+)")
_ESCAPES = {"\\\\": "\\", "\\n": "\n", "\\r": "\r"}


def gather(
    patterns: Sequence[str], checksums: Path | None, images: Sequence[str], listed: Path | None = None
) -> tuple[Subject, ...]:
    """Return all subjects beside the model, each once, in the order of the parameters."""
    subjects = [
        *(subject for pattern in patterns for subject in _matching(pattern)),
        *(_checksums(checksums) if checksums else ()),
        *(_image(word) for word in images),
        *(_listed(listed) if listed else ()),
    ]
    unique = tuple(dict.fromkeys(subjects))
    if len(unique) >= SUBJECT_LIMIT:
        raise InputError(
            f"{len(unique)} things are named beside the model, a statement covers {SUBJECT_LIMIT} with it",
            remedy="Name archives instead of the files in them.",
        )
    return unique


def _matching(pattern: str) -> Iterator[Subject]:
    """Weigh what a pattern names: plain files, none of them behind a link that leads out of where the pattern begins."""
    fixed = Path(re.split(r"[*?\[]", pattern, maxsplit=1)[0] + "x" if glob.has_magic(pattern) else pattern).parent
    names = glob.glob(pattern, recursive=True)  # noqa: PTH207 - a Path's own takes no absolute pattern
    found = sorted(name for name in names if not Path(name).is_dir())
    if not found:
        raise InputError(f"subject-path: '{printable(pattern)}' names no file", remedy="Was it built in this job?")
    for name in found:
        path = Path(name)
        place = path.resolve()
        if not place.is_relative_to(fixed.resolve()):
            raise InputError(
                f"subject-path: '{printable(name)}' is a link that leads out of '{printable(str(fixed))}'",
                remedy="Name the file that it points at.",
            )
        yield Subject(_named(path.name), weigh(Entry(path.name, place, executable=False, size=0)).digest)


def _checksums(path: Path) -> Iterator[Subject]:
    for number, line in enumerate(_read(path).splitlines(), 1):
        match = _LINE.fullmatch(line)
        if not match:
            raise InputError(
                f"{printable(path.name)}:{number}: not a line of sha256sum", remedy="Write it by: sha256sum FILES"
            )
        name = match["name"]
        if match["escaped"]:
            name = re.sub(r"\\[\\nr]", lambda escape: _ESCAPES[escape[0]], name)
        yield Subject(_named(name), Digest(match["hex"]))


def _image(word: str) -> Subject:
    name, _, digest = word.rpartition("@")
    try:
        return Subject(_named(name), Digest.parse(digest))
    except MalformedError:
        raise InputError(
            f"subject-image: '{printable(word)}' is not NAME@sha256:DIGEST",
            remedy="Give the digest that the push printed.",
        ) from None


def _listed(path: Path) -> Iterator[Subject]:
    """Read the runner's list: ``{"version": 1, "subjects": [{"name", "digest", "kind"}]}`` (actions/runner#4527)."""
    what = "GITHUB_ARTIFACTS_LIST"
    try:
        document = jsonio.parse(_read(path).encode(), what)
        if document.get("version") != 1:
            raise InputError(f"{what}: its version is not 1, the only one that we know")
        for item in jsonio.objects(document, "subjects", what):
            digest = Digest.parse(jsonio.field(item, "digest", str, what))
            yield Subject(_named(jsonio.field(item, "name", str, what)), digest)
    except MalformedError as error:
        raise InputError(error.what) from None


def _read(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            raw = stream.read(_LIMIT + 1)
        if len(raw) > _LIMIT:
            raise InputError(f"{printable(str(path))} is larger than {_LIMIT} bytes")
        return raw.decode()
    except OSError as error:
        raise InputError(f"{printable(str(path))} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{printable(str(path))} is not UTF-8") from None


def _named(name: str) -> str:
    if not name.strip():
        raise InputError("something beside the model has no name")
    return name
