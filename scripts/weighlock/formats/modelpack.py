"""CNCF ModelPack (model-spec v0.0.7): one raw layer a file, so that a layer's digest is the file's.

Nothing of the machine gets into the manifest: owner, mode and time of a file are constants (only the executable bit is
kept), names come from the content, and all JSON is canonical. So the same files give the same digest everywhere.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone

from weighlock import jsonio
from weighlock.errors import InputError, MalformedError
from weighlock.formats import Package
from weighlock.formats.describe import describe
from weighlock.formats.kinds import ORDER, kind_of
from weighlock.model import Model, ModelFile, check_path, folded
from weighlock.oci import MANIFEST_LIMIT, TITLE, Descriptor, Manifest
from weighlock.text import printable

ARTIFACT_TYPE = "application/vnd.cncf.model.manifest.v1+json"
CONFIG = "application/vnd.cncf.model.config.v1+json"
FILEPATH = "org.cncf.model.filepath"
_FILE = "org.cncf.model.file.metadata+json"
_GUESSED = "org.cncf.model.file.mediatype.untested"
_PREFIX = "application/vnd.cncf.model."
_LAYERS = frozenset(f"{_PREFIX}{kind}.v1.raw" for kind in (*ORDER, "dataset"))
_EPOCH = "1970-01-01T00:00:00Z"


class ModelPack:
    """The `Format` of ModelPack; `epoch` (seconds, as in SOURCE_DATE_EPOCH) replaces the constant time where given."""

    def __init__(self, epoch: int | None = None) -> None:
        """Take the time to write into the artifact; None keeps it out."""
        self._time = (
            None if epoch is None else datetime.fromtimestamp(epoch, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        )

    def package(self, model: Model) -> Package:
        """Return the manifest, config and layers of `model`."""
        layers = tuple((self._layer(file, kind), file) for kind, file in _ordered(model.files))
        config = self._config(model, [descriptor for descriptor, _ in layers])
        manifest = Manifest(
            Descriptor.of(config, CONFIG), tuple(descriptor for descriptor, _ in layers), artifact_type=ARTIFACT_TYPE
        )
        raw = manifest.encode()
        if len(raw) > MANIFEST_LIMIT:
            raise InputError(
                f"the manifest of {len(layers)} files has {len(raw)} bytes, registries take {MANIFEST_LIMIT}",
                remedy="Pack small files into one archive.",
            )
        return Package(manifest, raw, config, layers)

    def files(self, manifest: Manifest) -> dict[str, Descriptor]:
        """Return path to layer; an unknown type, an unsafe path or a path that stands twice is a `MalformedError`."""
        if manifest.artifact_type != ARTIFACT_TYPE or manifest.config.media_type != CONFIG:
            shown = printable(str(manifest.artifact_type or manifest.config.media_type))
            raise MalformedError(f"the manifest is no ModelPack: its type is '{shown}'")
        if not manifest.layers:
            raise MalformedError("the manifest has no layers")
        found: dict[str, Descriptor] = {}
        seen: set[str] = set()
        for layer in manifest.layers:
            path = _path(layer)
            if folded(path) in seen:
                raise MalformedError(f"two layers are named '{printable(path)}'")
            seen.add(folded(path))
            found[path] = layer
        _refuse_files_as_folders(found)
        return found

    def _layer(self, file: ModelFile, kind: str) -> Descriptor:
        entry = {
            "name": file.path.rsplit("/", 1)[-1],
            "mode": 0o755 if file.executable else 0o644,
            "uid": 0,
            "gid": 0,
            "size": file.size,
            "mtime": self._time or _EPOCH,
            "typeflag": 0,
        }
        annotations = {
            FILEPATH: file.path,
            TITLE: file.path,
            _FILE: json.dumps(entry, separators=(",", ":"), ensure_ascii=False),
            _GUESSED: "true",
        }
        return Descriptor(f"{_PREFIX}{kind}.v1.raw", file.digest, file.size, annotations=annotations)

    def _config(self, model: Model, layers: list[Descriptor]) -> bytes:
        facts = describe(model)
        descriptor = {**facts.descriptor, **({"createdAt": self._time} if self._time else {})}
        filesystem = {"type": "layers", "diffIds": [str(layer.digest) for layer in layers]}
        return jsonio.canonical({"descriptor": descriptor, "config": facts.config, "modelfs": filesystem})


def _ordered(files: tuple[ModelFile, ...]) -> list[tuple[str, ModelFile]]:
    kinds = [(kind_of(file.path, file.size), file) for file in files]
    return sorted(kinds, key=lambda pair: (ORDER.index(pair[0]), pair[1].path.encode()))


def _path(layer: Descriptor) -> str:
    if layer.media_type not in _LAYERS:
        raise MalformedError(f"a layer has the unknown media type '{printable(layer.media_type)}'")
    path, title = layer.annotations.get(FILEPATH), layer.annotations.get(TITLE)
    if path is None or title not in {None, path}:
        raise MalformedError(f"layer {layer.digest} has no file path, or two different ones")
    try:
        check_path(path)
    except InputError as error:
        raise MalformedError(f"a layer's path is refused: {error.what}") from None
    return path


def _refuse_files_as_folders(found: dict[str, Descriptor]) -> None:
    folders = {folded(path[:position]) for path in found for position, sign in enumerate(path) if sign == "/"}
    for path in found:
        if folded(path) in folders:
            raise MalformedError(f"'{printable(path)}' is a file and a folder at once")


def executable(layer: Descriptor) -> bool:
    """Tell whether the file behind a layer is to be executable; anything unreadable in its annotation means no."""
    try:
        mode = jsonio.parse(layer.annotations.get(_FILE, "{}"), "file annotation").get("mode")
    except MalformedError:
        return False
    return isinstance(mode, int) and bool(mode & 0o100)
