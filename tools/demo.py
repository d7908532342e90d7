"""The demo: a real model goes from a folder to a verified, signed OCI artifact, and a changed byte is refused.

    python3 tools/demo.py [--weighlock COMMAND] [--folder DIR]

Standard library only. Each command is shown as one would type it, with what it prints; everything that it should do is
checked, and the first thing that goes otherwise ends the demo. Run it again: it starts anew, only the model is kept.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".cache"
MODEL = "silero-vad"
WEIGHTS = "silero_vad_16k.safetensors"


class DemoError(Exception):
    """Something did not do what it should; the message says what."""


@dataclass(frozen=True)
class Demo:
    """Where the demo runs, and what it runs."""

    folder: Path
    weighlock: Sequence[str]
    python: str
    colour: bool

    def title(self, words: str) -> None:
        """Say what comes next."""
        self._show("\n" + words, "1")

    def run(self, *words: str, expect: int = 0) -> str:
        """Run ``weighlock WORDS``, show it, and return what it printed; another exit code than `expect` is an error."""
        return self._run(["weighlock", *words], [*self.weighlock, *words], expect)

    def fetch(self) -> None:
        """Put the model into the folder."""
        script = ROOT / "tools" / "models.py"
        self._show(f"$ cd {shlex.quote(os.path.relpath(self.folder))}", "36")
        shown = ["python3", os.path.relpath(script, self.folder), MODEL, MODEL]
        self._run(shown, [self.python, "-I", str(script), MODEL, MODEL], 0)

    def copy(self, source: str, target: str, flipped: Path) -> None:
        """Copy a folder and flip the lowest bit in the middle of one file of the copy."""
        shutil.copytree(str(self.folder / source), str(self.folder / target))
        path = self.folder / target / flipped
        content = bytearray(path.read_bytes())
        middle = len(content) // 2
        content[middle] ^= 1
        path.chmod(0o644)  # blobs may be read-only
        path.write_bytes(content)
        self._show(f"(copied {source} to {target}, and flipped one bit of {flipped}, at byte {middle:,})")

    def check(self, holds: bool, words: str) -> None:  # noqa: FBT001 - reads as an assertion
        """Say that something holds, or end the demo since it does not."""
        if not holds:
            raise DemoError(f"this should hold and does not: {words}")
        self._show("-> " + words, "32")

    def _run(self, shown: Sequence[str], command: Sequence[str], expect: int) -> str:
        self._show("$ " + " ".join(map(shlex.quote, shown)), "36")
        # In a workflow too, the demo is that of a person: no annotations, no summary, no inputs of an action.
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "INPUT_"))}
        done = subprocess.run(
            command, cwd=str(self.folder), env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        output = done.stdout.decode("utf-8", "replace")
        self._show(output.rstrip("\n"))
        if done.returncode != expect:
            raise DemoError(f"'{shown[0]} {shown[1]}' ended with exit code {done.returncode}, not {expect}")
        return output

    def _show(self, words: str, style: str = "") -> None:
        if words:
            sys.stdout.write(f"\033[{style}m{words}\033[0m\n" if style and self.colour else words + "\n")
            sys.stdout.flush()


def main() -> int:
    """Run the command line; 0 where everything did what it should, else 1."""
    parser = argparse.ArgumentParser(description="Release a real model, verify it, and see a changed byte refused.")
    parser.add_argument("--weighlock", metavar="COMMAND", help="default: that of the locked environment .cache/release")
    parser.add_argument("--folder", type=Path, default=CACHE / "demo", help="where to work (default: .cache/demo)")
    options = parser.parse_args()
    started = time.monotonic()
    try:
        show(prepare(options.weighlock, options.folder.resolve()))
    except (DemoError, OSError, subprocess.SubprocessError) as error:
        sys.stdout.flush()
        sys.stderr.write(f"\ndemo: FAILED after {time.monotonic() - started:.0f} s: {error}\n")
        return 1
    sys.stdout.write(f"\ndemo: everything did what it should, in {time.monotonic() - started:.0f} s\n")
    return 0


def prepare(weighlock: str | None, folder: Path) -> Demo:
    """Make the folder, remove what an earlier demo made in it except the model, and find a weighlock."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("registry", "tampered", "changed"):
        if (folder / name).exists():
            shutil.rmtree(str(folder / name))
    for name in ("demo.key", "demo.pub"):
        if (folder / name).exists():
            (folder / name).unlink()
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    if weighlock:
        return Demo(folder, shlex.split(weighlock), sys.executable, colour)
    environment = CACHE / "release"
    launcher = [sys.executable, "-I", str(ROOT / "scripts" / "launch.py"), "--prepare", "release", str(environment)]
    if subprocess.call(launcher):
        raise DemoError("there is no environment to run weighlock in")
    return Demo(folder, [str(environment / "bin" / "weighlock")], str(environment / "bin" / "python"), colour)


def show(demo: Demo) -> None:
    """Show it."""
    demo.title(
        "1. A real model: silero-vad detects speech, and ships in a Python package as TorchScript, ONNX, safetensors"
    )
    demo.fetch()

    demo.title("2. A key pair, for signing without any service")
    demo.run("keygen", "demo")

    demo.title("3. The release: every file is scanned, packed, signed and explained; the tag comes last")
    demo.run("release", MODEL, "--to", "oci:registry:v1", "--key", "demo.key")
    demo.check(
        "nothing to do" in demo.run("release", MODEL, "--to", "oci:registry:v1", "--key", "demo.key", "--quiet"),
        "the same bytes give the same digest, and a second run has nothing to do",
    )

    demo.title("4. What hangs on the digest")
    demo.run("inspect", "oci:registry:v1", "--key", "demo.pub")

    demo.title("5. What anyone with the public key can check, offline")
    demo.check(demo.run("verify", "oci:registry:v1", "--key", "demo.pub").endswith("PASS\n"), "it passes")
    tamper(demo)


def tamper(demo: Demo) -> None:
    """Flip one bit in a copy of the registry, and one in a copy of the model."""
    demo.title("6. One bit of the weights is flipped, in a copy of the registry and in a copy of the model")
    weights = Path(MODEL, WEIGHTS)
    layer = Path("blobs", "sha256", hashlib.sha256((demo.folder / weights).read_bytes()).hexdigest())
    demo.copy("registry", "tampered", layer)
    said = demo.run("verify", "oci:tampered:v1", "--key", "demo.pub", "--quiet", expect=1)
    demo.check(layer.name in said and "PASS" not in said, "it is refused, and the layer that changed is named")

    demo.copy(MODEL, "changed", Path(WEIGHTS))
    digests = [demo.run("package", name, "--to", "oci:registry", "--dry-run", "--quiet") for name in (MODEL, "changed")]
    demo.check(digests[0] != digests[1], "other bytes have another digest: nobody can pass them off as this release")


if __name__ == "__main__":
    sys.exit(main())
