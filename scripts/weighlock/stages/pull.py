"""``weighlock pull``: verify an artifact, then write its files; nothing reaches the folder before that.

All files are written beside the folder first, each digest-checked, and the whole appears in one rename. A folder that
exists must be empty or hold exactly these files: two models are never merged.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from weighlock import oms
from weighlock.errors import InputError, UnfinishedError
from weighlock.evidence import Collected
from weighlock.formats.modelpack import executable
from weighlock.jsonio import Json
from weighlock.oci import Descriptor, Digest
from weighlock.signing.identity import verifier
from weighlock.stages import Context, Problem, option, output
from weighlock.stages import verify as verifying
from weighlock.stages.package import weigh_model
from weighlock.store import Store
from weighlock.store.targets import Target, find, open_store
from weighlock.text import counted, printable, size


@dataclass(frozen=True, slots=True)
class Inputs:
    """What `pull` is told."""

    target: str = option("the artifact: oci:DIR[:TAG|@DIGEST] or HOST/REPO[:TAG|@DIGEST]", positional=True)
    directory: Path = option("folder to write the model to; new, empty, or with the same files", positional=True)
    key: Path | None = option("public key (PEM) of the one who released the model", default=None, metavar="FILE")
    signature: Path | None = option("also write the OMS bundle over the files here", default=None, metavar="FILE")
    plain_http: bool = option("talk to the registry without TLS (loopback needs no flag)", default=False)


@dataclass(frozen=True, slots=True)
class Outputs:
    """What `pull` did."""

    files: int
    verified: verifying.Outputs
    verdict: str = output("pass or fail")
    digest: str = output("digest that was verified")
    directory: str = output("folder that holds the model; empty where nothing was written")

    @property
    def passed(self) -> bool:
        """Tell whether the artifact was verified and written."""
        return self.verified.passed

    def data(self) -> Json:
        """Return verdict, folder, and every check."""
        return {**self.verified.data(), "directory": self.directory, "files": self.files}

    def text(self) -> str:
        """Return the checks and what was written."""
        wrote = (
            f"{counted(self.files, 'file')} in {printable(self.directory)}\n"
            if self.passed
            else "nothing was written\n"
        )
        return self.verified.text() + wrote

    def problems(self) -> list[Problem]:
        """Return the failed steps."""
        return self.verified.problems()


def run(inputs: Inputs, context: Context) -> Outputs:
    """Verify, then write."""
    pinned = verifier(inputs.key)
    target = Target.parse(inputs.target)
    store = open_store(target, plain_http=inputs.plain_http)
    verification = verifying.verify(store, find(store, target), pinned)
    verified = verifying.report(store, verification, pinned)
    if not verification.passed or verification.files is None:
        return Outputs(0, verified, verdict="fail", digest=verified.digest, directory="")
    _write_model(store, verification.files, inputs.directory.absolute(), verification.descriptor.digest, context)
    if inputs.signature:
        inputs.signature.write_bytes(_model_signature(verification.collected, verification.descriptor.digest))
    count = len(verification.files)
    return Outputs(count, verified, verdict="pass", digest=verified.digest, directory=str(inputs.directory))


def _write_model(store: Store, files: dict[str, Descriptor], directory: Path, digest: Digest, context: Context) -> None:
    if _is_there(directory, files):
        context.say(f"{printable(str(directory))} holds these files already")
        return
    with _workplace(directory, digest) as work:
        for path, layer in files.items():
            context.say(f"writing '{printable(path)}' ({size(layer.size)})")
            _write_file(store, layer, work / path)
        _sync_folder(work)
        try:
            work.replace(directory)
        except OSError as error:
            reason = error.strerror or str(error)
            raise UnfinishedError(f"{printable(str(directory))} cannot be written: {printable(reason)}") from None
        _sync_folder(directory.parent)


def _is_there(directory: Path, files: dict[str, Descriptor]) -> bool:
    """Tell whether the folder holds exactly these files; any other content is an `InputError`."""
    if directory.is_symlink() or (directory.exists() and not directory.is_dir()):
        raise InputError(f"{printable(str(directory))} is there and is no folder")
    if not directory.is_dir() or not any(directory.iterdir()):
        return False
    there = weigh_model(directory).digests()
    if there == {path: layer.digest for path, layer in files.items()}:
        return True
    raise InputError(
        f"{printable(str(directory))} exists and holds other files", remedy="Give a new or an empty folder."
    )


@contextmanager
def _workplace(directory: Path, digest: Digest) -> Iterator[Path]:
    """Make a folder beside `directory`, on the same file system; what an earlier, killed pull left there goes."""
    parent = directory.absolute().parent
    work = parent / f".{directory.name}.{digest.hex[:12]}.partial"
    parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _write_file(store: Store, layer: Descriptor, place: Path) -> None:
    """Write one layer under a temporary name; it gets its own after digest check and fsync."""
    place.parent.mkdir(parents=True, exist_ok=True)
    partial = place.parent / (layer.digest.hex + ".partial")
    with partial.open("xb") as stream:
        for chunk in store.blob(layer):
            stream.write(chunk)
        stream.flush()
        os.fsync(stream.fileno())
    partial.chmod(0o755 if executable(layer) else 0o644)
    partial.rename(place)


def _sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut, where the system can."""
    if os.name != "nt":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _model_signature(collected: Collected, digest: Digest) -> bytes:
    return next(
        item.bundle.raw
        for item in collected.trusted
        if item.statement.predicate_type == oms.PREDICATE_TYPE and oms.manifest(item.statement) == digest
    )
