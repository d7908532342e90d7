"""What ``weighlock.yml`` would say of a repository's models, as far as their files say it themselves. Pure.

The repository may be anybody's: names and words from it go into a file that people read and we parse, so what does not
print is left out, and the text is read back before anybody sees it.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from weighlock import finding
from weighlock.config import document, parse
from weighlock.dvc import is_dvc, outs
from weighlock.errors import InputError
from weighlock.facts import card
from weighlock.model import check_path
from weighlock.store.targets import Target

SCHEMA = "https://raw.githubusercontent.com/weighlock/weighlock/main/scripts/weighlock/schemas/weighlock.json"
Reader = Callable[[str], bytes]
"""Gives the beginning of a file of the repository, nothing where it is not there."""

_MARK = "# as in weighlock.yml"
_WORDS = 300  # characters of a name that is taken over
_DATASETS = 20
_SPDX = {
    identifier.lower(): identifier
    for identifier in (
        *(
            "Apache-2.0",
            "MIT",
            "MIT-0",
            "BSD-2-Clause",
            "BSD-3-Clause",
            "BSD-3-Clause-Clear",
            "ISC",
            "Zlib",
            "Unlicense",
        ),
        *("AFL-3.0", "Artistic-2.0", "BSL-1.0", "ECL-2.0", "EPL-1.0", "EPL-2.0", "EUPL-1.1", "EUPL-1.2", "MPL-2.0"),
        *("MS-PL", "NCSA", "OFL-1.1", "OSL-3.0", "PostgreSQL", "WTFPL", "CDLA-Permissive-2.0", "CDLA-Sharing-1.0"),
        *("CC0-1.0", "CC-BY-2.0", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0", "CC-BY-NC-2.0"),
        *("CC-BY-NC-3.0", "CC-BY-NC-4.0", "CC-BY-ND-4.0", "CC-BY-NC-ND-3.0", "CC-BY-NC-ND-4.0"),
        *("CC-BY-NC-SA-2.0", "CC-BY-NC-SA-3.0", "CC-BY-NC-SA-4.0"),
        *("GPL-2.0-only", "GPL-2.0-or-later", "GPL-3.0-only", "GPL-3.0-or-later", "AGPL-3.0-only", "AGPL-3.0-or-later"),
        *("LGPL-2.1-only", "LGPL-2.1-or-later", "LGPL-3.0-only", "LGPL-3.0-or-later"),
    )
}
"""The licences that model hubs offer, by their names there: SPDX's in lower case."""
_UNKNOWN = frozenset({"", "other", "unknown", "none"})


@dataclass(frozen=True, slots=True)
class Proposed:
    """A model that was found, and what its files say of licence, base models and datasets."""

    name: str
    path: str
    target: str | None = None
    licence: str | None = None
    base_models: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Proposal:
    """The models of a repository, and the paths of those that a configuration cannot name."""

    models: tuple[Proposed, ...]
    left_out: tuple[str, ...]


def propose(paths: Iterable[str], read: Reader, repository: str, place: str | None) -> Proposal:
    """Return what is found among the files of a repository.

    `repository` is its name, `place` where its models would go (``ghcr.io/owner/repository``; None: not known).
    Files that DVC keeps count as well, though they are not here.
    """
    files = set(paths)
    kept = {out.path for path in files if is_dvc(path) for out in outs(path, read(path)) if _is_model(out.path)}
    found = finding.models(files | kept)
    found += sorted(out for out in kept if not finding.owners(out, found))
    models, left_out = [], []
    taken: set[str] = set()
    for path in found:
        if not _nameable(path):
            left_out.append(path)
            continue
        name = _name(path, repository, taken)
        taken.add(name)
        models.append(Proposed(name, path, _target(place, name), **_said(path, files, read)))
    return Proposal(tuple(models), tuple(left_out))


def text(models: Iterable[Proposed]) -> str:
    """Return the ``weighlock.yml`` that names these models; it is one that we read."""
    lines = [f"# yaml-language-server: $schema={SCHEMA}", "version: 1"]
    entries = [_entry(model) for model in models]
    lines += ["models:", *(line for entry in entries for line in entry)] if entries else []
    whole = "\n".join(lines) + "\n"
    parse(whole.encode())
    return whole


def matrix(workflow: str, models: Iterable[Proposed]) -> str:
    """Return the workflow with these models in its matrix."""
    lines = [
        "          - {"
        + ", ".join(f"{key}: {document.scalar(text, quoted=True)}" for key, text in _row(model).items())
        + "}"
        for model in models
    ]
    return workflow.replace("include: []", "include:", 1).replace(_MARK, _MARK + "\n" + "\n".join(lines), 1)


def _row(model: Proposed) -> dict[str, str]:
    return {"name": model.name, "path": model.path, "target": model.target or ""}


def _entry(model: Proposed) -> Iterator[str]:
    yield f"- name: {document.scalar(model.name)}"
    yield f"  path: {document.scalar(model.path)}"
    for key, value in (("target", model.target), ("licence", model.licence)):
        if value:
            yield f"  {key}: {document.scalar(value)}"
    if model.base_models:
        yield "  base-model:"
        yield from (f"  - {document.scalar(base)}" for base in model.base_models)
    if model.datasets:
        yield "  datasets:"
        yield from (f"  - name: {document.scalar(name)}" for name in model.datasets)


def _is_model(path: str) -> bool:
    """Tell whether what DVC keeps at a path is a model, of which only the name is known."""
    return finding.is_weights(path) or not {"model", "models"}.isdisjoint(posixpath.dirname(path).split("/"))


def _nameable(path: str) -> bool:
    """Tell whether files of ours can name it: on every system, and in no workflow as an expression.

    An expression could be escaped for GitHub, but other runners (act, and those of forges that are made of it) look for
    one in the result again.
    """
    if "${{" in path:
        return False
    try:
        check_path("x" if path == finding.TOP else path)
    except InputError:
        return False
    return True


def _name(path: str, repository: str, taken: Collection[str]) -> str:
    """Return a name that is not taken yet: of the file or folder, of the repository for the model that is all of it."""
    last = repository if path == finding.TOP else posixpath.basename(path)
    stem = last.rsplit(".", 1)[0] if finding.is_weights(last) else last
    plain = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:80] or "model"
    numbers = (f"{plain}-{number}" for number in range(2, len(taken) + 3))
    return next(name for name in (plain, *numbers) if name not in taken)


def _target(place: str | None, name: str) -> str | None:
    if place is None:
        return None
    target = f"{place}/{name}"
    try:
        Target.parse(target)
    except InputError:
        return None
    return target


def _said(path: str, files: Collection[str], read: Reader) -> dict[str, Any]:
    """Return what the model's card and its Kitfile say; the card comes first."""
    folder = "" if path == finding.TOP else path + "/"
    front = card.front_matter(_text(read(folder + "README.md"))) if folder + "README.md" in files else {}
    kit = _kitfile(read(folder + "Kitfile")) if folder + "Kitfile" in files else {}
    kept = [item.get("name") for item in _list(kit, "datasets") if isinstance(item, dict)]
    parts = [kit[key] for key in ("model", "package") if isinstance(kit.get(key), dict)]
    licences = [front.get("license_name"), front.get("license"), *(part.get("license") for part in parts)]
    return {
        "licence": next((spdx for spdx in map(_licence, licences) if spdx), None),
        "base_models": tuple(_words(front.get("base_model"))),
        "datasets": tuple(_words(front.get("datasets")))[:_DATASETS] or tuple(_words(kept))[:_DATASETS],
    }


def _list(document: Mapping[str, Any], key: str) -> list[Any]:
    found = document.get(key)
    return found if isinstance(found, list) else []


def _kitfile(raw: bytes) -> Mapping[str, Any]:
    try:
        return document.plain(raw, "Kitfile")
    except InputError:
        return {}


def _licence(said: object) -> str | None:
    """Return an SPDX identifier for the name that a card or a Kitfile gives a licence; None where it gives none."""
    if not isinstance(said, str) or said.strip().lower() in _UNKNOWN:
        return None
    key = said.strip().lower()
    known = _SPDX.get(key) or _SPDX.get(key + "-only")
    plain = re.sub(r"[^A-Za-z0-9.]+", "-", said).strip("-.")[:100]
    return known or (f"LicenseRef-{plain}" if plain else None)


def _words(said: object) -> Iterator[str]:
    """Yield the names in a value that should be one or a list of them: on one line, printable, each once."""
    seen = set()
    for item in said if isinstance(said, list) else [said]:
        if isinstance(item, str) and (word := item.strip()) and len(word) <= _WORDS and word.isprintable():
            if word not in seen:
                yield word
            seen.add(word)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
