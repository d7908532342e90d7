"""The models of a repository: the section `models` of ``weighlock.yml``.

What an entry says is what nobody can read from the files themselves; everything but name and path may be left out.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from weighlock.config.document import At, Document
from weighlock.errors import InputError
from weighlock.jsonio import Json
from weighlock.model import check_path
from weighlock.oci import Digest
from weighlock.store.targets import Target
from weighlock.text import printable


@dataclass(frozen=True, slots=True)
class Dataset:
    """Data that a model was trained on: what people call it, where it is, and the sha256 of its bytes."""

    name: str
    uri: str | None = None
    digest: Digest | None = None


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model of the repository; paths are relative to the repository's root, with slashes."""

    name: str
    path: str
    where: str
    """Where it stands, ``weighlock.yml:LINE``, for errors."""
    target: str | None = None
    """The place to release it to, without a tag."""
    requirements: str | None = None
    metrics: str | None = None
    """A JSON file of metric names to numbers."""
    licence: str | None = None
    """An SPDX expression."""
    base_models: tuple[str, ...] = ()
    datasets: tuple[Dataset, ...] = ()

    def locate(self, root: Path) -> Path:
        """Return where the model lies in the repository at `root`; whether it is there is not asked."""
        return self._inside(root, self.path)

    def locate_requirements(self, root: Path) -> Path | None:
        """Return where its requirements lie; None where none are named."""
        return self._inside(root, self.requirements) if self.requirements else None

    def locate_metrics(self, root: Path) -> Path | None:
        """Return where its metrics lie; None where none are named."""
        return self._inside(root, self.metrics) if self.metrics else None

    def _inside(self, root: Path, path: str) -> Path:
        """Return the path below `root`; a link may be on the way, but must not lead out."""
        place = root / path
        try:
            contained = place.resolve().is_relative_to(root.resolve())
        except (OSError, RuntimeError):  # a circle of links
            contained = False
        if not contained:
            raise InputError(
                f"{self.where}: '{printable(path)}' is a link that leads out of the repository or in a circle",
                remedy="Put the files themselves there.",
            )
        return place


def read_models(document: Document) -> tuple[ModelEntry, ...]:
    """Read the section `models`: a name, a path or a target may stand there once only."""
    entries = [
        _entry(document, ("models", position), item)
        for position, item in enumerate(document.content.get("models") or [])
    ]
    for key in ("name", "path", "target"):
        seen: dict[str, ModelEntry] = {}
        for position, entry in enumerate(entries):
            value = getattr(entry, key)
            if value is not None and value in seen:
                at = ("models", position, key)
                raise document.wrong(
                    at, f"{key}: '{value}' is the model's of {seen[value].where} already", "Change one of the two."
                )
            seen[value] = entry
    return tuple(entries)


def entry_at(entries: tuple[ModelEntry, ...], root: Path, path: Path) -> ModelEntry | None:
    """Return the entry of the model that lies at `path`, in a repository at `root`; None where there is none."""
    wanted = os.path.realpath(path)
    return next((entry for entry in entries if os.path.realpath(root / entry.path) == wanted), None)


def _entry(document: Document, at: At, item: Json) -> ModelEntry:
    base = item.get("base-model") or []
    return ModelEntry(
        name=item["name"],
        path=_path(document, (*at, "path"), item["path"]),
        where=f"{document.name}:{document.lines[at]}",
        target=_target(document, (*at, "target"), item.get("target")),
        requirements=_optional(document, (*at, "requirements"), item.get("requirements")),
        metrics=_optional(document, (*at, "metrics"), item.get("metrics")),
        licence=item.get("licence"),
        base_models=(base,) if isinstance(base, str) else tuple(base),
        datasets=tuple(_datasets(item)),
    )


def _datasets(item: Json) -> Iterator[Dataset]:
    for data in item.get("datasets") or []:
        digest = Digest(data["sha256"]) if "sha256" in data else None
        yield Dataset(data["name"], data.get("uri"), digest)


def _optional(document: Document, at: At, path: str | None) -> str | None:
    return None if path is None else _path(document, at, path)


def _path(document: Document, at: At, path: str) -> str:
    plain = path[:-1] if path.endswith("/") and path != "/" else path
    if plain == ".":
        return plain
    try:
        check_path(plain)
    except InputError as error:
        remedy = "Write it from the repository's root, as in models/churn."
        raise document.wrong(at, f"{at[-1]}: {error.what}", remedy) from None
    return plain


def _target(document: Document, at: At, text: str | None) -> str | None:
    if text is None:
        return None
    try:
        target = Target.parse(text)
    except InputError as error:
        raise document.wrong(at, f"target: {error.what}", error.remedy) from None
    if target.tag is not None or target.digest is not None:
        raise document.wrong(
            at, f"target: '{printable(text)}' has a tag or a digest", f"Leave it out: {Target(target.place)}."
        )
    return text
