"""``weighlock describe``: weigh what provenance is to say beside the run, and write it down for `seal` in another job.

The job that may sign holds no file of the caller's. So the job that has them reads the pointers, weighs datasets, base
models and what was built beside the model, and hands on names and digests.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from weighlock import description
from weighlock.errors import InputError
from weighlock.inputs import ToldInputs, option, output
from weighlock.jsonio import Json
from weighlock.oci import Digest
from weighlock.provenance import Told
from weighlock.stages import Context, Problem
from weighlock.text import counted, printable


@dataclass(frozen=True, slots=True)
class Inputs(ToldInputs):
    """What `describe` is told."""

    file: Path = option("where to write it, as JSON", positional=True)
    subject_folder: Path = option("folder in which subject-path begins (default: here)", default=Path(), metavar="DIR")


@dataclass(frozen=True, slots=True)
class Outputs:
    """What `describe` wrote."""

    told: Told
    digest: str = output("sha256 digest of the file, for `seal --description-digest`")

    passed = True

    def data(self) -> Json:
        """Return the digest of the file, and what stands in it."""
        return {
            "digest": self.digest,
            "dependencies": list(self.told.dependencies),
            "parameters": self.told.parameters,
            "subjects": [{"name": item.name, "digest": str(item.digest)} for item in self.told.beside],
        }

    def text(self) -> str:
        """Return what was weighed."""
        rows = [(item["annotations"]["role"], item["name"], item["digest"]) for item in self.told.dependencies]
        lines = [
            f"{role:<11} {printable(name)} {algorithm}:{value}"
            for role, name, digests in rows
            for algorithm, value in digests.items()
        ]
        lines += [f"beside      {printable(item.name)} {item.digest}" for item in self.told.beside]
        lines.append(f"described {counted(len(lines), 'thing')} beside the model")
        return "\n".join(lines) + "\n"

    def problems(self) -> list[Problem]:
        """Return nothing: what is wrong is an error here."""
        return []


def run(inputs: Inputs, context: Context) -> Outputs:
    """Read and weigh what the inputs name, and write it down."""
    patterns = tuple(str(inputs.subject_folder / pattern) for pattern in inputs.subject_path)
    told = dataclasses.replace(inputs, subject_path=patterns).told()
    raw = description.write(told)
    try:
        inputs.file.parent.mkdir(parents=True, exist_ok=True)
        inputs.file.write_bytes(raw)
    except OSError as error:
        raise InputError(f"{printable(str(inputs.file))} cannot be written: {error.strerror}") from None
    context.say(f"wrote {printable(str(inputs.file))}")
    return Outputs(told, digest=str(Digest.of(raw)))
