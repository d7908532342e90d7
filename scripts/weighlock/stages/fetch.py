"""``weighlock fetch``: write the files of an artifact that nobody has signed yet, so that they can be scanned.

Nothing says that they are safe or whose they are: each file is only what the digest in the reference leads to. `pull` is
for those who use a model.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from weighlock.errors import InputError
from weighlock.formats.modelpack import ModelPack
from weighlock.inputs import option, output
from weighlock.jsonio import Json
from weighlock.oci import Manifest
from weighlock.stages import Context, Problem
from weighlock.stages.pull import write_model
from weighlock.store.targets import Target, find, open_store
from weighlock.text import counted, printable


@dataclass(frozen=True, slots=True)
class Inputs:
    """What `fetch` is told."""

    target: str = option("the artifact: oci:DIR@DIGEST or HOST/REPO@DIGEST", positional=True)
    directory: Path = option("folder to write the files to; new, empty, or with the same files", positional=True)
    plain_http: bool = option("talk to the registry without TLS (loopback needs no flag)", default=False)


@dataclass(frozen=True, slots=True)
class Outputs:
    """What `fetch` did."""

    files: int
    digest: str = output("digest of the artifact")
    directory: str = output("folder that holds its files")

    passed = True

    def data(self) -> Json:
        """Return digest, folder and number of files."""
        return {"digest": self.digest, "directory": self.directory, "files": self.files}

    def text(self) -> str:
        """Return what was written, and what it is worth."""
        return f"{counted(self.files, 'file')} in {printable(self.directory)}, verified by nobody: scan them\n"

    def problems(self) -> list[Problem]:
        """Return nothing: fetching finds no fault."""
        return []


def run(inputs: Inputs, context: Context) -> Outputs:
    """Write the files that the digest leads to."""
    target = Target.parse(inputs.target)
    if target.digest is None:
        raise InputError(f"{printable(str(target))} is no digest", remedy="Give the digest that the push printed.")
    store = open_store(target, plain_http=inputs.plain_http)
    subject = find(store, target)
    files = ModelPack().files(Manifest.parse(store.manifest(subject.digest)))
    write_model(store, files, inputs.directory.absolute(), subject.digest, context)
    return Outputs(len(files), digest=str(subject.digest), directory=str(inputs.directory))
