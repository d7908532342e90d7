"""``weighlock package``: write a model as an OCI artifact, by digest and without a tag.

The tag comes last, when all evidence is there and verified: `release` sets it, or ``verify --tag``.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from weighlock import usercache
from weighlock.errors import InputError, IntegrityError
from weighlock.formats import Format, Package
from weighlock.formats.modelpack import ModelPack
from weighlock.hints import Weighed, named
from weighlock.inputs import option, output
from weighlock.jsonio import Json
from weighlock.model import Entry, Model, ModelFile, walk, weigh
from weighlock.oci import Descriptor, Digest
from weighlock.stages import Context, Problem
from weighlock.store import Opener, Store, limits
from weighlock.store.layout import Layout
from weighlock.store.parallel import Job, Meter, Streams, run_all
from weighlock.store.planning import Early, Plan, plan
from weighlock.store.sending import send
from weighlock.store.targets import Target, open_store
from weighlock.text import counted, printable, size

CACHE_HELP = "take the digests of files that did not change from the user's cache, unread (default: yes, in CI no)"
MOUNT_HELP = "repository of the same registry that may hold some of the files: they are not sent again"
_LAST_SECOND = 253_402_300_799  # the end of the year 9999, the last that RFC 3339 can write

FORMATS: dict[str, Callable[[int | None], Format]] = {"modelpack": ModelPack}


@dataclass(frozen=True, slots=True)
class Inputs:
    """What `package` is told."""

    path: Path = option("the model: a folder, or one file", positional=True)
    to: str = option("where to store it: oci:DIR or HOST/REPO", metavar="TARGET")
    dry_run: bool = option("compute the digest, say what would be sent, and write nothing", default=False)
    cache: bool | None = option(CACHE_HELP, default=None)
    mount_from: str = option(MOUNT_HELP, default="", metavar="REPOSITORY")
    plain_http: bool = option("talk to the registry without TLS (loopback needs no flag)", default=False)


@dataclass(frozen=True, slots=True)
class Outputs:
    """What `package` did."""

    files: int
    bytes: int
    written: bool
    plan: Plan
    digest: str = output("digest of the manifest")
    reference: str = output("where the artifact is, by digest")
    tag: str = output("tag that `to` names; it was not set, since it comes last")

    passed = True

    def data(self) -> Json:
        """Return digest, reference and totals."""
        totals = {"files": self.files, "bytes": self.bytes, "written": self.written}
        return {"digest": self.digest, "reference": self.reference, **totals, "plan": self.plan.to_json()}

    def text(self) -> str:
        """Return the digest alone, so that a shell can take it."""
        return f"{self.digest}\n"

    def problems(self) -> list[Problem]:
        """Return nothing: packing finds no fault."""
        return []


def run(inputs: Inputs, context: Context, *, now: Callable[[], int] = time.time_ns) -> Outputs:
    """Read the files that are not known, build the artifact and store it by digest; `now` is the time in ns."""
    target = Target.place_of(inputs.to)
    store = open_store(target, plain_http=inputs.plain_http)
    origin = origin_of(inputs.mount_from, target, plain_http=inputs.plain_http)
    preflight(inputs.path, target, context)
    if not inputs.dry_run:
        store.probe()
    cache = weighed_before(inputs.cache, context, now)
    entries = walk(inputs.path)
    known = known_of(entries, cache)
    early = ask_early(store, inputs.path, entries, known, origin)
    model = weigh_model(inputs.path, known)
    if cache:
        cache.keep(model.files)
    package = build(model, context)
    planned = make_plan(store, package, origin, context, early)
    if not inputs.dry_run:
        with _doubting(known, cache):
            push(store, package, planned, context)
        if target.tag:
            context.say(f"tag '{target.tag}' not set: it comes last, with 'release' or 'verify --tag'")
    return Outputs(
        digest=str(package.descriptor.digest),
        reference=f"{store.name}@{package.descriptor.digest}",
        files=len(model.files),
        bytes=sum(file.size for file in model.files),
        written=not inputs.dry_run,
        tag=target.tag or "",
        plan=planned,
    )


def origin_of(mount_from: str, target: Target, *, plain_http: bool) -> Store | None:
    """Return the repository to mount from, which has to be in the target's registry; None where none is named."""
    if not mount_from:
        return None
    origin = Target.place_of(mount_from)
    if not origin.shares_registry(target):
        raise InputError(
            f"mount-from: '{printable(mount_from)}' is not in the registry of {printable(str(target))}",
            remedy="Name a repository of the same registry, HOST/REPO.",
        )
    return open_store(origin, plain_http=plain_http)


def preflight(path: Path, target: Target, context: Context) -> None:
    """Say in the first second what the target would refuse in the last, without a word to it."""
    files = [(entry.path, entry.size) for entry in walk(path)]
    for warning in limits.check(target.place, files):
        context.say(f"warning: {warning}")
    if isinstance(target.place, Path):
        limits.check_room(target.place, limits.least(target.place, (count for _, count in files)))


def weighed_before(
    choice: bool | None,  # noqa: FBT001 - an input
    context: Context,
    now: Callable[[], int] = time.time_ns,
) -> Weighed | None:
    """Return the digests of earlier runs, None where none are wanted or the user has no folder for them."""
    place = usercache.folder(context.environ, "digests") if usercache.wanted(choice, context.environ) else None
    return Weighed(place, context.say, now) if place else None


def known_of(entries: Sequence[Entry], cache: Weighed | None) -> dict[str, ModelFile]:
    """Return path to file for those that are as they were when an earlier run weighed them."""
    found = [cache.known(entry) for entry in entries] if cache else []
    return {file.path: file for file in found if file}


def ask_early(
    store: Store, path: Path, entries: Sequence[Entry], known: Mapping[str, ModelFile], origin: Store | None
) -> Early | None:
    """Begin to ask a registry for the digests that hints name, while the files are read; None where there are none.

    With a name's digest nothing else is done: when the file turns out to have another, that one is asked for. A layout
    is not asked: its answer is a read of the blob, which would go on after a scan has said no.
    """
    if isinstance(store, Layout):
        return None
    told = {**named(path, entries), **{name: file.digest for name, file in known.items()}}
    blobs = [Descriptor("", told[entry.path], entry.size) for entry in entries if entry.path in told]
    return Early(store, blobs, origin) if blobs else None


def weigh_model(path: Path, known: Mapping[str, ModelFile] | None = None) -> Model:
    """Read every file of the model that is not known once, one on each processor."""
    processors = min(os.cpu_count() or 1, 8)
    before, entries = known or {}, walk(path)
    jobs = [_weighing(entry) for entry in entries if entry.path not in before]
    weighed = run_all(jobs, streams=Streams(processors, 1, processors))
    files = {**before, **{file.path: file for file in weighed}}
    return Model(path.resolve().name, tuple(files[entry.path] for entry in entries))


def build(model: Model, context: Context, name: str = "modelpack") -> Package:
    """Return the artifact for `model`; SOURCE_DATE_EPOCH, where it is set, is the time in it."""
    return FORMATS[name](_epoch(context.environ.get("SOURCE_DATE_EPOCH"))).package(model)


def make_plan(
    store: Store, package: Package, origin: Store | None, context: Context, early: Early | None = None
) -> Plan:
    """Find out which blobs are there, which `origin` has, and which have to be sent; say it."""
    limits.check_manifest(len(package.raw), len(package.layers))
    blobs = [package.manifest.config, *(descriptor for descriptor, _ in package.layers)]
    made = plan(store, blobs, origin, early)
    for line in made.lines():
        context.say(line)
    return made


def push(store: Store, package: Package, planned: Plan, context: Context) -> Descriptor:
    """Do what is planned, then store the manifest by digest; what is there already is not sent again."""
    sources: dict[Digest, Opener] = {descriptor.digest: file.open for descriptor, file in package.layers}
    sources[package.manifest.config.digest] = lambda: io.BytesIO(package.config)
    for blob in send(store, planned, sources, context.display):
        context.say(f"stored {blob.digest} ({size(blob.size)})")
    descriptor = store.push_manifest(package.raw)
    context.say(f"stored the manifest {descriptor.digest} of {counted(len(package.layers), 'file')}")
    return descriptor


@contextmanager
def _doubting(known: Mapping[str, ModelFile], cache: Weighed | None) -> Iterator[None]:
    """Forget what was known of this model, where what was sent turned out to be something else."""
    try:
        yield
    except IntegrityError as error:
        if not known or cache is None:
            raise
        cache.forget(known.values())
        raise IntegrityError(
            f"{error.what}; {counted(len(known), 'digest')} had been taken from the digest cache, unread",
            remedy="They are forgotten: run again, and every byte is read. Find out what changed a file and not its times.",
        ) from None


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
