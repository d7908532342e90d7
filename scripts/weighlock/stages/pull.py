"""``weighlock pull``: verify an artifact, then write its files; nothing reaches the folder before that.

All files are written beside the folder first, each digest-checked, and the whole appears in one rename; a pull that was
killed goes on there. A folder that exists must be empty or hold exactly these files: two models are never merged.
"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from weighlock import oms
from weighlock.errors import InputError, UnfinishedError
from weighlock.evidence import Collected
from weighlock.formats.modelpack import executable
from weighlock.inputs import VerifierInputs, option, output
from weighlock.jsonio import Json
from weighlock.oci import Descriptor, Digest
from weighlock.stages import Context, Problem
from weighlock.stages import verify as verifying
from weighlock.stages.package import weigh_model
from weighlock.store import Store
from weighlock.store.fetching import fetch, workplace
from weighlock.store.targets import Target, find, open_store
from weighlock.text import counted, printable, size


@dataclass(frozen=True, slots=True)
class Inputs(VerifierInputs):
    """What `pull` is told."""

    target: str = option("the artifact: oci:DIR[:TAG|@DIGEST] or HOST/REPO[:TAG|@DIGEST]", positional=True)
    directory: Path = option("folder to write the model to; new, empty, or with the same files", positional=True)
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
    enforced = inputs.enforced()
    target = Target.parse(inputs.target)
    store = open_store(target, plain_http=inputs.plain_http)
    verification = verifying.verify(store, find(store, target), enforced)
    verified = verifying.report(store, verification, enforced)
    if not verification.passed or verification.files is None:
        return Outputs(0, verified, verdict="fail", digest=verified.digest, directory="")
    write_model(store, verification.files, inputs.directory.absolute(), verification.descriptor.digest, context)
    if inputs.signature:
        inputs.signature.write_bytes(_model_signature(verification.collected, verification.descriptor.digest))
    count = len(verification.files)
    return Outputs(count, verified, verdict="pass", digest=verified.digest, directory=str(inputs.directory))


def write_model(store: Store, files: dict[str, Descriptor], directory: Path, digest: Digest, context: Context) -> None:
    """Write the files to `directory`, all of them or none; they are only what their digests say."""
    if _is_there(directory, files):
        context.say(f"{printable(str(directory))} holds these files already")
        return
    directory.parent.mkdir(parents=True, exist_ok=True)
    with workplace(directory.parent / f".{directory.name}.{digest.hex[:12]}.partial") as work:
        total = sum(layer.size for layer in files.values())
        context.say(f"writing {counted(len(files), 'file')} ({size(total)}) to {printable(str(directory))}")
        fetch(store, list(files.values()), work, context.display)
        tree = _arrange(files, work)
        try:
            tree.replace(directory)
        except OSError as error:
            reason = error.strerror or str(error)
            raise UnfinishedError(f"{printable(str(directory))} cannot be written: {printable(reason)}") from None
        _sync_folder(directory.parent)
    _drop_unfinished(directory)


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


def _arrange(files: dict[str, Descriptor], work: Path) -> Path:
    """Give the fetched files their names and modes in a folder of their own."""
    tree = work / "files"
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir()
    last = {layer.digest: path for path, layer in files.items()}
    for path, layer in files.items():
        source, place = work / layer.digest.hex, tree / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if path == last[layer.digest]:
            source.rename(place)
        else:  # a hard link would let a change of one file change the other
            shutil.copyfile(source, place)
            _sync(place)
        place.chmod(0o755 if executable(layer) else 0o644)
    for folder in {tree, *(tree / parent for path in files for parent in PurePosixPath(path).parents)}:
        _sync_folder(folder)
    return tree


def _drop_unfinished(directory: Path) -> None:
    """Remove what killed pulls of other digests left beside the folder."""
    unfinished = re.compile(rf"\.{re.escape(directory.name)}\.[0-9a-f]{{12}}\.partial")
    for path in list(directory.parent.iterdir()):
        if unfinished.fullmatch(path.name):
            with suppress(UnfinishedError), workplace(path):
                pass


def _sync(place: Path) -> None:
    with place.open("rb+") as stream:
        os.fsync(stream.fileno())


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
