"""``weighlock.yml``: what a repository decides about its models, checked against its schema, errors with file and line.

Everything has a default, so a repository without the file works. The file may come with a pull request, so it is read
with YAML's safe subset only: no tags, no aliases, no key twice.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from weighlock.errors import InputError
from weighlock.jsonio import Json
from weighlock.oci import Digest
from weighlock.scanners import Severity
from weighlock.text import printable

NAME = "weighlock.yml"
_LIMIT = 1024 * 1024  # bytes; a larger file is a mistake or an attack
_DEPTH = 20


@dataclass(frozen=True, slots=True)
class Waiver:
    """A finding that `owner` answers for: this `rule` in the file with this `digest`, up to and including `expires`."""

    rule: str
    digest: Digest
    reason: str
    owner: str
    expires: dt.date
    line: int
    """Where it stands in the file."""

    def to_json(self) -> Json:
        """Return what the ledger keeps of it."""
        return {"rule": self.rule, "reason": self.reason, "owner": self.owner, "expires": self.expires.isoformat()}


@dataclass(frozen=True, slots=True)
class ScanPolicy:
    """What a scan lets pass."""

    fail_on: Severity = Severity.LOW
    review_passes: bool = False
    profiles: tuple[str, ...] | None = None
    """Names of the allow-lists for pickles; None for the default ones."""
    globals: tuple[str, ...] = ()
    waivers: tuple[Waiver, ...] = ()


@dataclass(frozen=True, slots=True)
class Config:
    """The whole file."""

    scan: ScanPolicy = field(default_factory=ScanPolicy)


def load(path: Path) -> Config:
    """Read the file; what is wrong with it is an `InputError` that starts with ``weighlock.yml:LINE:``."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(_LIMIT + 1)
    except OSError as error:
        raise InputError(f"{printable(str(path))} cannot be read: {error.strerror}") from None
    if len(raw) > _LIMIT:
        raise InputError(f"{printable(str(path))} is larger than {_LIMIT} bytes")
    return parse(raw, path.name)


def parse(raw: bytes, name: str = NAME) -> Config:
    """Read the file's bytes; `name` stands in errors."""
    document, lines = _document(raw, name)
    _check(document, lines, name)
    return Config(_scan(document.get("scan") or {}, lines, name))


Lines = dict[tuple[str | int, ...], int]


def _document(raw: bytes, name: str) -> tuple[Json, Lines]:
    """Return the document as JSON, and the line of everything in it by its path."""
    import yaml  # noqa: PLC0415 - the library comes with the stages that read the file

    try:
        for event in yaml.parse(raw, yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                line = event.start_mark.line + 1 if event.start_mark else 1
                raise _wrong(name, line, "aliases (*name) are not read", "Write the value out.")
        node = yaml.compose(raw, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise _wrong(name, line, f"it is not YAML: {error.problem}") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise _wrong(name, 1, f"it is not YAML: {error}") from None
    lines: Lines = {}
    value = _value(node, (), lines, name)
    if not isinstance(value, dict):
        raise _wrong(name, 1, "it is not a mapping", "Start with: version: 1")
    return value, lines


def _value(node: Any, at: tuple[str | int, ...], lines: Lines, name: str) -> Any:
    import yaml  # noqa: PLC0415 - as above

    if node is None:
        return {}
    line = node.start_mark.line + 1
    lines[at] = line
    if len(at) > _DEPTH:
        raise _wrong(name, line, "it is nested too deep")
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*at, position), lines, name) for position, item in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        return dict(_pairs(node, at, lines, name))
    return _scalar(node.tag.removeprefix("tag:yaml.org,2002:"), node.value)


def _scalar(kind: str, text: str) -> str | int | bool | None:
    """Return a plain value; what is no number, switch or nothing is the text as it stands, dates too."""
    if kind == "int" and text.isdecimal() and len(text) < 19:  # Python refuses to read thousands of digits
        return int(text)
    if kind == "bool":
        return text.lower() in {"true", "yes", "on"}
    return None if kind == "null" else text


def _pairs(node: Any, at: tuple[str | int, ...], lines: Lines, name: str) -> Iterator[tuple[str, Any]]:
    seen = set()
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key.value, str):
            raise _wrong(name, line, "a key is not a word")
        if key.value in seen:
            raise _wrong(name, line, f"'{printable(key.value)}' stands twice")
        seen.add(key.value)
        place = (*at, key.value)
        yield key.value, _value(value, place, lines, name)
        lines[place] = line


def _check(document: Json, lines: Lines, name: str) -> None:
    import jsonschema  # noqa: PLC0415 - as above

    schema = json.loads((resources.files("weighlock") / "schemas" / "weighlock.json").read_text("utf-8"))
    for error in jsonschema.Draft202012Validator(schema).iter_errors(document):
        at = tuple(error.absolute_path)
        where = ".".join(str(part) for part in at) or "the file"
        hint = error.schema.get("description", "") if isinstance(error.schema, dict) else ""
        raise _wrong(name, lines.get(at, 1), f"{where}: {error.message}", hint)


def _scan(document: Json, lines: Lines, name: str) -> ScanPolicy:
    waivers: dict[tuple[str, str], Waiver] = {}
    for position, item in enumerate(document.get("waivers") or []):
        line = lines["scan", "waivers", position]
        key = (item["rule"], item["sha256"])
        if key in waivers:
            raise _wrong(name, line, f"the waiver of line {waivers[key].line} stands here again", "Remove one.")
        try:
            expires = dt.date.fromisoformat(item["expires"])
        except ValueError:
            raise _wrong(name, line, f"'{item['expires']}' is not a day", "Write it as YYYY-MM-DD.") from None
        digest = Digest(item["sha256"])
        waivers[key] = Waiver(item["rule"], digest, item["reason"], item["owner"], expires, line)
    profiles = document.get("profiles")
    return ScanPolicy(
        Severity[document.get("fail-on", "low").upper()],
        document.get("review") == "pass",
        None if profiles is None else tuple(profiles),
        tuple(document.get("globals") or ()),
        tuple(waivers.values()),
    )


def _wrong(name: str, line: int, what: str, remedy: str = "") -> InputError:
    return InputError(f"{printable(name)}:{line}: {printable(what, 400)}", remedy=remedy)
