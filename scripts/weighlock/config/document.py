"""``weighlock.yml`` as a document: YAML's safe subset, checked against the schema, with the line of everything in it.

The file may come with a pull request, so there are no tags, no aliases, and no key twice.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any

from weighlock.errors import InputError
from weighlock.jsonio import Json
from weighlock.text import printable

_DEPTH = 20

At = tuple[str | int, ...]
"""The path of a part: keys, and positions in lists."""
Lines = dict[At, int]


@dataclass(frozen=True, slots=True)
class Document:
    """A file that keeps its schema: its `content`, and the line of each part by its path."""

    content: Json
    lines: Lines
    name: str
    """The file's name, for errors."""

    def wrong(self, at: At, what: str, remedy: str = "") -> InputError:
        """Return the error that starts with ``weighlock.yml:LINE:``, with the line of the part at this path."""
        return _wrong(self.name, self.lines.get(at, 1), what, remedy)

    def day(self, at: At, text: str) -> dt.date:
        """Return the day that the part at this path names."""
        try:
            return dt.date.fromisoformat(text)
        except ValueError:
            raise self.wrong(at, f"'{text}' is not a day", "Write it as YYYY-MM-DD.") from None


def read(raw: bytes, name: str) -> Document:
    """Read the file's bytes; what is wrong with them is an `InputError` with the line."""
    content, lines = _document(raw, name)
    _check(content, lines, name)
    return Document(content, lines, name)


def plain(raw: bytes, name: str) -> Json:
    """Read a YAML mapping that keeps no schema of ours; what is wrong with it is an `InputError` with the line."""
    return _document(raw, name)[0]


def scalar(text: str, *, quoted: bool = False) -> str:
    """Return printable text as YAML that stands for exactly this text, on one line; quoted it may stand in a list."""
    import yaml  # noqa: PLC0415 - as below

    if not text.isprintable():
        raise ValueError("only what prints can be written")
    return (
        yaml.safe_dump(text, width=10**9, allow_unicode=True, default_style='"' if quoted else None)
        .removesuffix("...\n")
        .strip("\n")
    )


def _document(raw: bytes, name: str) -> tuple[Json, Lines]:
    """Return the content as JSON, and the line of everything in it by its path."""
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


def _value(node: Any, at: At, lines: Lines, name: str) -> Any:
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


def _pairs(node: Any, at: At, lines: Lines, name: str) -> Iterator[tuple[str, Any]]:
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
    validator = jsonschema.validators.extend(jsonschema.Draft202012Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]
    for error in validator(schema).iter_errors(document):
        at = tuple(error.absolute_path)
        where = ".".join(str(part) for part in at) or "the file"
        hint = error.schema.get("description", "") if isinstance(error.schema, dict) else ""
        raise _wrong(name, lines.get(at, 1), f"{where}: {error.message}", hint)


def _pattern(_validator: Any, pattern: str, value: Any, _schema: Any) -> Iterator[Any]:
    """Check a pattern of the schema, all of which mean one line: Python's ``$`` would let a last newline through."""
    import jsonschema  # noqa: PLC0415 - as above

    if isinstance(value, str) and ("\n" in value or not re.search(pattern, value)):
        yield jsonschema.ValidationError(f"{value!r} does not have the form that is wanted here")


def _wrong(name: str, line: int, what: str, remedy: str = "") -> InputError:
    return InputError(f"{printable(name)}:{line}: {printable(what, 400)}", remedy=remedy)


def write(document: Json) -> str:
    """Return a document of ours as YAML; whatever stands in its values stays a value."""
    import yaml  # noqa: PLC0415 - as above

    class Dumper(yaml.SafeDumper):
        """Writes text of several lines as a block."""

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    Dumper.add_representer(str, text)
    return str(yaml.dump(document, Dumper=Dumper, sort_keys=False, allow_unicode=False, width=1_000_000))
