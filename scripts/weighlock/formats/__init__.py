"""Packaging formats: the `Format` port, which turns a model into a manifest and a manifest back into file names.

Implementations: `modelpack` (the CNCF ModelPack specification).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from weighlock.model import Model, ModelFile
from weighlock.oci import Descriptor, Manifest


@dataclass(frozen=True, slots=True)
class Package:
    """A model as an artifact: the manifest with its bytes, the config blob, and the file behind each layer."""

    manifest: Manifest
    raw: bytes
    config: bytes
    layers: tuple[tuple[Descriptor, ModelFile], ...]

    @property
    def descriptor(self) -> Descriptor:
        """Return what describes the manifest; its digest is the model's name everywhere."""
        return self.manifest.descriptor(self.raw)


class Format(Protocol):
    """A way to write a model as an OCI artifact."""

    def package(self, model: Model) -> Package:
        """Return the artifact for these files: the same files give the same bytes on every machine."""

    def files(self, manifest: Manifest) -> dict[str, Descriptor]:
        """Return path to layer, every path checked; `MalformedError` for what this format does not know."""
