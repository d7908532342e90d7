"""Write a schema for the scanner: ``python tools/flatbuffer_schema.py SOURCE FILE`` prints JSON.

FILE is what ``flatc --python --gen-object-api`` wrote, for TensorFlow Lite ``tensorflow/lite/python/
schema_py_generated.py``; SOURCE says which release it is of. The file is read as text, not imported.
`weighlock.scanners.strict.flatbuffer` reads the result.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

_WIDTHS = {"Bool": 1, "Int8": 1, "Uint8": 1, "Int16": 2, "Uint16": 2, "Int32": 4, "Uint32": 4, "Float32": 4}
_METHOD = re.compile(
    r"    def (\w+)\(self(?:, j)?\):\n        o = [^\n]*Offset\((\d+)\)\)\n(.*?)(?=\n    # |\n\S|\Z)", re.DOTALL
)
_SCALAR = re.compile(r"self\._tab\.Get\(flatbuffers\.number_types\.(\w+)Flags, o \+ self\._tab\.Pos\)")
_VECTOR = re.compile(r"self\._tab\.Get\(.*\(j \* (\d)\)\)")
_CREATOR = re.compile(r"^def (\w+)Creator\(unionType, table\):\n(.*?)(?=^\S)", re.DOTALL | re.MULTILINE)


def kind(name: str, body: str) -> str:
    """Return what a field holds, told by the code that reads it."""
    many = "[{}]" if "self._tab.Vector(o)" in body else "{}"
    if "self._tab.String(" in body:
        return many.format("text")
    if "self._tab.Union(" in body:
        return f"|{name}"
    if table := re.search(r"obj = (\w+)\(\)", body):
        return many.format(table[1])
    if vector := _VECTOR.search(body):
        return f"[{vector[1]}]"
    scalar = _SCALAR.search(body)
    if scalar is None:
        raise SystemExit(f"{name}: a field of a kind that is not known here")
    return str(_WIDTHS.get(scalar[1], 8))


def main(words: list[str]) -> None:
    """Print the schema."""
    source, path = words
    text = Path(path).read_text()
    classes = dict(re.findall(r"^class (\w+)\(object\):\n(.*?)(?=^\S)", text, re.DOTALL | re.MULTILINE))
    tables = {
        name: {
            (int(slot) - 4) // 2: kind(_union(field, text), body)
            for field, slot, body in _METHOD.findall(code)
            if not _extra(field)
        }
        for name, code in classes.items()
        if "_tab" in code
    }
    unions = {
        name: {
            int(re.search(rf"^    {member} = (\d+)$", classes[name], re.MULTILINE)[1]): member  # type: ignore[index]
            for member in re.findall(rf"unionType == {name}\.(\w+):", code)
        }
        for name, code in _CREATOR.findall(text)
    }
    lines = [f"  {json.dumps(name)}: {json.dumps(fields)}" for name, fields in sorted(tables.items())]
    more = [f"  {json.dumps(name)}: {json.dumps(members)}" for name, members in sorted(unions.items())]
    sys.stdout.write(f'{{"source": {json.dumps(source)},\n "messages": {{\n{_joined(lines)}\n }},\n "unions": {{\n')
    sys.stdout.write(f"{_joined(more)}\n }}\n}}\n")


def _union(field: str, text: str) -> str:
    """Return the name of the union whose member the field is, the field's own for any other."""
    found = re.search(rf" = (\w+)Creator\(self\.{field[0].lower()}{field[1:]}Type,", text)
    return found[1] if found else field


def _extra(method: str) -> bool:
    return method.endswith(("AsNumpy", "IsNone")) or (method.endswith("Length") and method != "Length")


def _joined(lines: list[str]) -> str:
    return ",\n".join(lines)


if __name__ == "__main__":
    main(sys.argv[1:])
