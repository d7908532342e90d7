"""``weighlock package``: write a model as an OCI artifact, by digest and without a tag.

The tag comes last, when all evidence is there and verified: `release` sets it, or ``verify --tag``.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from weighlock.errors import InputError
from weighlock.formats import Format, Package
from weighlock.formats.modelpack import ModelPack
from weighlock.jsonio import Json
from weighlock.model import Entry, Model, ModelFile, walk, weigh
from weighlock.oci import Descriptor
from weighlock.stages import Context, Problem, option, output
from weighlock.store import Opener, Store
from weighlock.store.parallel import Job, Meter, Streams, run_all
from weighlock.store.sending import send
from weighlock.store.targets import Target, open_store
from weighlock.text import counted, size

_LAST_SECOND = 253_402_300_799  # the end of the year 9999, the last that RFC 3339 can write

FORMATS: dict[str, Callable[[int | None], Format]] = {"modelpack": ModelPack}


@dataclass(frozen=True, slots=True)
class Inputs:
    """What `package` is told."""

    path: Path = option("the model: a folder, or one file", positional=True)
    to: str = option("where to store it: oci:DIR or HOST/REPO", metavar="TARGET")
    dry_run: bool = option("compute the digest and write nothing", default=False)
    plain_http: bool = option("talk to the registry without TLS (loopback needs no flag)", default=False)


@dataclass(frozen=True, slots=True)
class Outputs:
    """What `package` did."""

    files: int
    bytes: int
    written: bool
    tag: str | None
    digest: str = output("digest of the manifest")
    reference: str = output("where the artifact is, by digest")

    passed = True

    def data(self) -> Json:
        """Return digest, reference and totals."""
        totals = {"files": self.files, "bytes": self.bytes, "written": self.written}
        return {"digest": self.digest, "reference": self.reference, **totals}

    def text(self) -> str:
        """Return the digest alone, so that a shell can take it."""
        return f"{self.digest}\n"

    def problems(self) -> list[Problem]:
        """Return nothing: packing finds no fault."""
        return []


def run(inputs: Inputs, context: Context) -> Outputs:
    """Read the files, build the artifact and store it by digest."""
    target = Target.place_of(inputs.to)
    store = open_store(target, plain_http=inputs.plain_http)
    model = weigh_model(inputs.path)
    package = build(model, context)
    if not inputs.dry_run:
        push(store, package, context)
        if target.tag:
            context.say(f"tag '{target.tag}' not set: it comes last, with 'release' or 'verify --tag'")
    return Outputs(
        digest=str(package.descriptor.digest),
        reference=f"{store.name}@{package.descriptor.digest}",
        files=len(model.files),
        bytes=sum(file.size for file in model.files),
        written=not inputs.dry_run,
        tag=target.tag,
    )


def weigh_model(path: Path) -> Model:
    """Read every file of the model once, one on each processor."""
    processors = min(os.cpu_count() or 1, 8)
    jobs = [_weighing(entry) for entry in walk(path)]
    return Model(path.resolve().name, tuple(run_all(jobs, streams=Streams(processors, 1, processors))))


def build(model: Model, context: Context, name: str = "modelpack") -> Package:
    """Return the artifact for `model`; SOURCE_DATE_EPOCH, where it is set, is the time in it."""
    return FORMATS[name](_epoch(context.environ.get("SOURCE_DATE_EPOCH"))).package(model)


def push(store: Store, package: Package, context: Context) -> Descriptor:
    """Store blobs, config and then the manifest by digest; what is there already is not sent again."""
    blobs: list[tuple[Descriptor, Opener]] = [(descriptor, file.open) for descriptor, file in package.layers]
    blobs.append((package.manifest.config, lambda: io.BytesIO(package.config)))
    for descriptor in send(store, blobs, context.display):
        context.say(f"stored {descriptor.digest} ({size(descriptor.size)})")
    descriptor = store.push_manifest(package.raw)
    context.say(f"stored the manifest {descriptor.digest} of {counted(len(package.layers), 'file')}")
    return descriptor


def _weighing(entry: Entry) -> Job[ModelFile]:
    def run(meter: Meter) -> ModelFile:
        return weigh(entry, [_Counting(meter)])

    return Job(entry.size, run)


@dataclass(frozen=True, slots=True)
class _Counting:
    """A sink that only counts."""

    meter: Meter

    def feed(self, chunk: bytes) -> None:
        self.meter.add(len(chunk))


def _epoch(text: str | None) -> int | None:
    if not text:
        return None
    if not text.isdecimal() or int(text) > _LAST_SECOND:
        raise InputError("SOURCE_DATE_EPOCH is not a number of seconds", remedy="Set it to digits, or unset it.")
    return int(text)
