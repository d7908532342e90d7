"""Write a schema for the scanner: ``python tools/protobuf_schema.py PACKAGE FILE MODULE:MESSAGE...`` prints JSON.

Runs where PACKAGE is installed, in an environment of its own, and takes what the package's own descriptors say: of
each message that the given ones reach, its fields by number with the name of a message or the way a number is stored.
`weighlock.scanners.strict.schema` reads the result.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import sys
from typing import Any

_STORED = {
    **dict.fromkeys((3, 4, 5, 8, 13, 14, 17, 18), "varint"),
    **dict.fromkeys((1, 6, 16), "fixed64"),
    **dict.fromkeys((2, 7, 15), "fixed32"),
    9: "text",
    12: "bytes",
}
"""Wire form by `FieldDescriptorProto.Type`; groups are left out, since no model format has them."""


def schema(roots: list[Any]) -> dict[str, dict[int, str]]:
    """Return all messages that the roots reach."""
    found: dict[str, dict[int, str]] = {}
    origins: dict[str, str] = {}
    waiting = [root.DESCRIPTOR for root in roots]
    while waiting:
        message = waiting.pop()
        if origins.setdefault(name(message), message.full_name) != message.full_name:
            raise SystemExit(f"{name(message)} exists in two packages: write two schemas")
        if name(message) in found:
            continue
        found[name(message)] = {}
        for field in sorted(message.fields, key=lambda field: int(field.number)):
            inner = field.message_type
            stored = _STORED.get(field.type, "")
            repeated = getattr(field, "is_repeated", False) and stored not in {"text", "bytes"}
            found[name(message)][field.number] = name(inner) if inner else ("*" if repeated else "") + stored
            waiting.extend([inner] if inner else [])
    return dict(sorted(found.items()))


def name(message: Any) -> str:
    """Return the message's name without its package, as `Outer.Inner`."""
    return str(message.full_name).removeprefix(message.file.package + ".")


def main(words: list[str]) -> None:
    """Print the schema."""
    package, *roots = words
    found = schema([getattr(importlib.import_module(root.split(":")[0]), root.split(":")[1]) for root in roots])
    sys.stdout.write(f'{{"source": "{package} {importlib.metadata.version(package)}", "messages": {{\n')
    lines = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in found.items()]
    sys.stdout.write(",\n".join(lines) + "\n}}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
