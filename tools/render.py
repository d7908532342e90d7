"""Render what the actions show to the outside from the stages themselves: every action.yml, and tables in the READMEs.

    python tools/render.py            write the files
    python tools/render.py --check    say which files are out of date, and exit 1 if one is

An action is a stage: its inputs are the fields of `Inputs`, its outputs the fields of `Outputs` made by `output`. So
nothing is described twice, and who adds an input to a stage runs ``make docs`` and is done.
"""

from __future__ import annotations

import argparse
import dataclasses
import enum
import inspect
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from weighlock.__main__ import STAGES, stage
from weighlock.commandline import Input, inputs_of
from weighlock.scanners.strict import RULES

ROOT = Path(__file__).resolve().parent.parent
POLICY = ROOT / "docs" / "policy.md"
TITLE = "Weighlock"
ROOT_STAGE = "release"
PYTHON = "Python that starts the launcher; it finds one that the stage supports by itself (default: python3)"
READ = "to check the repository out"
PUSH = "to write to this repository's GitHub packages; not needed for another registry"
SIGN = "to sign in the name of the workflow; not needed with a key"
PULL = "to read from this repository's GitHub packages; not needed for another registry"
SHELVE = "to keep attestations in this repository"
PREVIOUS = "to read the release that `previous` names; not needed without it"


FORMATS = """\
# Formats

<!-- Made by `make docs` from the docstrings of the rules: change it there. -->

What the scan understands, and what a `safe` means for each format. A file is recognised by its content, never by its
name. Containers (zip, tar, 7z, gzip, bzip2, xz, lzma, zlib, lz4, zstd) are unpacked, and each member is judged like a file.
What is recognised and has no rule here (rar, native programs and everything unknown) is never `safe`; neither is a member
that is encrypted, or packed by a method that is not understood (PPMd and BCJ2 in 7z, anything but deflate in zip).
"""


@dataclass(frozen=True)
class About:
    """What a stage does not say about its action: the Marketplace's branding, and the permissions of the job."""

    icon: str
    permissions: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Scope to access and reason."""


ACTIONS = {
    "release": About("anchor", {"contents": ("read", READ), "id-token": ("write", SIGN), "packages": ("write", PUSH)}),
    "scan": About("search", {"contents": ("read", READ), "packages": ("read", PREVIOUS)}),
    "audit": About("list", {"contents": ("read", READ)}),
    "plan": About("map", {"contents": ("read", READ)}),
    "check": About("shield", {"contents": ("read", READ)}),
    "gate": About("git-merge", {}),
    "describe": About("edit", {"contents": ("read", READ)}),
    "package": About("package", {"contents": ("read", READ), "packages": ("write", PUSH)}),
    "fetch": About("download", {"packages": ("read", PULL)}),
    "seal": About("lock", {"id-token": ("write", SIGN), "packages": ("write", PUSH)}),
    "sign": About("edit-3", {"id-token": ("write", SIGN), "packages": ("write", PUSH)}),
    "attest": About("file-text", {"id-token": ("write", SIGN), "packages": ("write", PUSH)}),
    "shelve": About("archive", {"attestations": ("write", SHELVE), "packages": ("read", PULL)}),
    "verify": About("check-circle", {"contents": ("read", READ), "packages": ("read", PULL)}),
}


@dataclass(frozen=True)
class Row:
    """An input as an action shows it; `default` is None where it is required."""

    name: str
    description: str
    default: str | None
    variable: str


def folder(name: str) -> Path:
    """Return where an action lives: the root for the whole release."""
    return ROOT if name == ROOT_STAGE else ROOT / "actions" / name


def page(name: str) -> Path:
    """Return where an action is described; the root's README is about more than the action."""
    return ROOT / "actions" / ("" if name == ROOT_STAGE else name) / "README.md"


def inputs(name: str) -> list[Row]:
    """Return the inputs of an action: those of its stage, and the Python to start with."""
    rows = [
        Row(item.flag, _sentence(item.option.help), _default(item), item.variable)
        for item in inputs_of(stage(name).Inputs)
    ]
    return [*rows, Row("python", _sentence(PYTHON), "", "WEIGHLOCK_PYTHON")]


def outputs(name: str) -> dict[str, str]:
    """Return the outputs of an action, each with its description."""
    fields = [item for item in dataclasses.fields(stage(name).Outputs) if "output" in item.metadata]
    return {item.name.replace("_", "-"): _sentence(item.metadata["output"]) for item in fields}


def action(name: str) -> str:
    """Return the text of an action.yml: one step, which runs the launcher."""
    way = "" if name == ROOT_STAGE else "../../"
    rows = inputs(name)
    step = {
        "id": "run",
        "shell": "bash",
        "run": f'"${{WEIGHLOCK_PYTHON:-python3}}" -I "$GITHUB_ACTION_PATH/{way}scripts/launch.py" {name}',
        "env": {row.variable: f"${{{{ inputs.{row.name} }}}}" for row in rows},
    }
    parts: list[dict[str, Any]] = [
        {"name": TITLE if name == ROOT_STAGE else f"{TITLE} {name}", "description": _sentence(STAGES[name])},
        {"inputs": {row.name: _input(row) for row in rows}},
        {"outputs": {key: _output(key, words) for key, words in outputs(name).items()}},
        {"runs": {"using": "composite", "steps": [step]}},
        {"branding": {"icon": ACTIONS[name].icon, "color": "blue"}},
    ]
    texts = [yaml.safe_dump(part, sort_keys=False, allow_unicode=True, width=1000) for part in parts]
    return f"# Made by `make docs` from scripts/weighlock/stages/{name}.py: change it there.\n" + "\n".join(texts)


def readme(name: str, text: str) -> str:
    """Return a README with its tables made anew; a marker without its table is an error."""
    tables = {"inputs": _inputs_table(name), "outputs": _outputs_table(name), "permissions": _permissions(name)}
    for what, table in tables.items():
        begin, end = f"<!-- {what}: made by `make docs` -->", f"<!-- end of {what} -->"
        if text.count(begin) != 1 or text.count(end) != 1:
            raise SystemExit(f"{page(name)} needs these two lines, once: {begin} and {end}")
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}\n{table}\n{end}{rest.partition(end)[2]}"
    return text


def rendered() -> dict[Path, str]:
    """Return every file that is made here, with what it should hold."""
    texts = {}
    for name in ACTIONS:
        texts[folder(name) / "action.yml"] = action(name)
        texts[page(name)] = readme(name, page(name).read_text(encoding="utf-8"))
    texts[ROOT / "docs" / "formats.md"] = formats()
    texts[POLICY] = policy(POLICY.read_text(encoding="utf-8"))
    return texts


def policy(text: str) -> str:
    """Return the page on policies with its table made anew, from the schema."""
    schema = json.loads((ROOT / "scripts" / "weighlock" / "schemas" / "weighlock.json").read_text(encoding="utf-8"))
    rows = [f"| `{name}` | {_cell(words)} |" for name, words in _fields(schema, schema["properties"]["verify"], "")]
    begin, end = "<!-- fields: made by `make docs` -->", "<!-- end of fields -->"
    before, _, rest = text.partition(begin)
    table = "\n".join(["| field | |", "|---|---|", *rows])
    return f"{before}{begin}\n{table}\n{end}{rest.partition(end)[2]}"


def _fields(schema: dict[str, Any], part: dict[str, Any], at: str) -> Iterator[tuple[str, str]]:
    """Yield every field below a part of a schema, by its path, with its description."""
    for name, item in part.get("properties", {}).items():
        below = schema["$defs"][item["$ref"].removeprefix("#/$defs/")] if "$ref" in item else item
        yield f"{at}{name}", below.get("description", "")
        if at == "follow.ROLE.":
            continue  # the same rules again
        yield from _fields(schema, below, f"{at}{name}.")
        yield from _fields(schema, below.get("items", {}), f"{at}{name}[].")
        if name == "follow":
            yield from _fields(schema, below["additionalProperties"], "follow.ROLE.")


def formats() -> str:
    """Return the page that says what each format's rule claims: the docstring of its module, to the letter."""
    rules: dict[str, list[str]] = {}
    for word, rule in RULES.items():
        rules.setdefault(rule.__module__, []).append(word)
    parts = [FORMATS]
    for name in sorted(rules):
        claim = inspect.cleandoc(sys.modules[name].__doc__ or "")
        path = f"scripts/{name.replace('.', '/')}.py"
        source = path if (ROOT / path).is_file() else path.replace(".py", "/__init__.py")
        words = ", ".join(sorted(rules[name]))
        parts.append(f"## {words}\n\n{_plain(claim)}\n\nRule: [`{name.rsplit('.', 1)[-1]}`](../{source})\n")
    return "\n".join(parts)


def main() -> int:
    """Write or check the files."""
    parser = argparse.ArgumentParser(description="Render actions and their tables from the stages.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a file is out of date")
    check = parser.parse_args().check
    texts = rendered()
    stale = [path for path, text in texts.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        sys.stderr.write(f"{path.relative_to(ROOT)} {'is out of date: run `make docs`' if check else 'written'}\n")
        if not check:
            path.write_text(texts[path], encoding="utf-8")
    return 1 if stale and check else 0


def _plain(docstring: str) -> str:
    """Return a docstring as Markdown: literals between single backticks, no tag of its own."""
    return docstring.replace("``", "`").replace("<", "&lt;")


def _sentence(words: str) -> str:
    return words[0].upper() + words[1:].rstrip(".") + "."


def _default(item: Input) -> str | None:
    if item.required:
        return None
    if isinstance(item.default, bool):
        return "true" if item.default else "false"
    if isinstance(item.default, enum.Enum):
        return item.default.name.lower()
    return "\n".join(item.default) if isinstance(item.default, tuple) else str(item.default or "")


def _input(row: Row) -> dict[str, Any]:
    shown: dict[str, Any] = {"description": row.description, "required": row.default is None}
    return shown if row.default is None else {**shown, "default": row.default}


def _output(name: str, description: str) -> dict[str, str]:
    return {"description": description, "value": f"${{{{ steps.run.outputs.{name} }}}}"}


def _inputs_table(name: str) -> str:
    rows = [
        f"| `{row.name}` | {_cell(row.description)} | {_shown(row.default)} |"
        for row in sorted(inputs(name), key=lambda row: row.default is not None)
    ]
    return "\n".join(["| input | | default |", "|---|---|---|", *rows])


def _outputs_table(name: str) -> str:
    return "\n".join(
        ["| output | |", "|---|---|", *(f"| `{key}` | {_cell(words)} |" for key, words in outputs(name).items())]
    )


def _permissions(name: str) -> str:
    lines = [f"  {scope}: {access}  # {why}" for scope, (access, why) in ACTIONS[name].permissions.items()]
    return "\n".join(["```yaml", "permissions:", *lines, "```"])


def _shown(default: str | None) -> str:
    return "required" if default is None else f"`{default}`" if default else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
