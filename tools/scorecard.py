"""Measure scanners on the hostile and the honest corpus, and write ``docs/scorecard.md`` and the tests' floors.

    python tools/scorecard.py [--only ENGINE]...

Each engine stands in an environment of its own below ``.cache/scorecard``, with its version pinned here, and judges in
a process without a network (as root) and with limits on time and memory (``tools/judges.py``). Competitors run with the
extras that let them see most. The table says also where another engine is better.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import hostile as builders
import scorecard_page
from corpus import measured
from corpus.hostile import Case, cases, write
from judges import ENGINES

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "scorecard"
HONEST = ROOT / "tests" / "corpus" / "honest"
PAGE = ROOT / "docs" / "scorecard.md"
ALL = ("weighlock", *ENGINES)
LIMIT = 3600  # seconds for one engine and all files

PINNED: Mapping[str, Sequence[str]] = {
    "modelscan": ("modelscan[h5py]==0.8.8", "numpy==2.2.6"),  # newer numpy breaks it
    "picklescan": ("picklescan[7z]==1.0.5", "numpy==2.2.6"),
    "fickling": ("fickling==0.1.12", "typing_extensions==4.15.0"),
    "modelaudit": (
        "modelaudit[dill,flax,h5,joblib,onnx,safetensors,sevenzip,tflite]==0.2.54",
    ),  # no torch, no TensorFlow
    "hayward": ("hayward==1.4.1",),
}
"""Environment to what stands in it; Weighlock runs in the one that runs this."""

SWITCHES = {
    "PROMPTFOO_DISABLE_TELEMETRY": "1",
    "NO_ANALYTICS": "1",
    "CI": "1",
    "NO_COLOR": "1",
    "COLUMNS": "200",
}


@dataclass(frozen=True)
class Subject:
    """A model to judge: its path, its family, and whether it is harmful, only hides or lies, or is honest."""

    path: Path
    family: str
    kind: str


@dataclass(frozen=True)
class Judged:
    """What one engine said: one answer a subject (outcome, exit code, words), and the seconds of processor time for all."""

    answers: Sequence[tuple[str, int | None, str]]
    seconds: float


def main() -> None:
    """Build both corpora, let every engine judge them, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=ALL, help="measure this engine, write no page")
    only = parser.parse_args().only
    with tempfile.TemporaryDirectory(prefix="scorecard-") as name:
        folder = Path(name)
        hostile = cases()
        subjects = [*_hostile(hostile, folder / "hostile"), *_honest(folder / "honest")]
        results = {engine: _judged(engine, subjects, folder) for engine in only or ALL}
        if only:
            _say("\n".join(scorecard_page.summary(results, subjects)))
            return
        (folder / "measured").mkdir()
        shares = measured.shares(hostile, measured.verdicts(hostile, folder / "measured"))
    measured.raise_floors(shares)
    PAGE.write_text(scorecard_page.page(results, subjects, {name: pins[0] for name, pins in PINNED.items()}))
    _say(f"wrote {PAGE.relative_to(ROOT)}")


def _hostile(corpus: Sequence[Case], folder: Path) -> list[Subject]:
    """Write the corpus; a case with other files is judged with them, as a folder."""
    subjects = []
    for number, case in enumerate(corpus):
        top = folder / str(number)
        path = write(case, top)
        kind = scorecard_page.HELD if case.held else scorecard_page.HARMFUL
        subjects.append(Subject(top if case.beside else path, case.family, kind))
    return subjects


def _honest(folder: Path) -> list[Subject]:
    """Copy what the real libraries wrote, and write what our own builders make."""
    shutil.copytree(HONEST, folder / "libraries", ignore=shutil.ignore_patterns("__pycache__"))
    subjects = [
        Subject(model, family.name, scorecard_page.HONEST)
        for family in sorted((folder / "libraries").iterdir())
        if family.is_dir()
        for model in sorted(family.iterdir())
    ]
    for name, data in builders.HONEST.items():
        path = folder / "built" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        subjects.append(Subject(path, "built by the tests", scorecard_page.HONEST))
    return subjects


def _judged(engine: str, subjects: Sequence[Subject], folder: Path) -> Judged:
    """Return what a competitor said of these very files before, or ask; Weighlock is always asked."""
    name = engine.split(maxsplit=1)[0]
    if name == "weighlock":
        return _judge(engine, subjects, folder)
    digest = hashlib.sha256("\n".join([engine, *PINNED[name], (ROOT / "tools" / "judges.py").read_text()]).encode())
    for subject in subjects:
        for file in sorted(subject.path.rglob("*")) if subject.path.is_dir() else [subject.path]:
            digest.update(b"" if file.is_dir() else hashlib.sha256(file.read_bytes()).digest() + file.name.encode())
    known = CACHE / f"{name}-{digest.hexdigest()[:16]}.json"
    if not known.exists():
        judged = _judge(engine, subjects, folder)
        known.write_text(json.dumps([judged.answers, judged.seconds]))
    answers, seconds = json.loads(known.read_text())
    return Judged([(outcome, code, words) for outcome, code, words in answers], seconds)


def _judge(engine: str, subjects: Sequence[Subject], folder: Path) -> Judged:
    """Let the engine judge every subject in its own environment."""
    python = _environment(engine.split(maxsplit=1)[0])
    program = [str(python), "-I", str(ROOT / "tools" / "judges.py"), engine]
    alone = ["unshare", "--net", "--"] if os.geteuid() == 0 and shutil.which("unshare") else []
    home = folder / "home" / engine
    home.mkdir(parents=True)
    environment = {**SWITCHES, "PATH": os.defpath, "HOME": str(home), "LC_ALL": "C.UTF-8"}
    _say(f"{engine}: {len(subjects)} models")
    before = _spent()
    done = subprocess.run(
        [*alone, *program],
        input="".join(json.dumps(str(subject.path)) + "\n" for subject in subjects),
        stdout=subprocess.PIPE, text=True, env=environment, cwd=home, timeout=LIMIT, check=True,
    )  # fmt: skip
    answers = [(str(outcome), code, str(words)) for outcome, code, words in map(json.loads, done.stdout.splitlines())]
    return Judged(answers, _spent() - before)


def _spent() -> float:
    """Return the processor time of all children so far, in seconds: what else the machine does changes it little."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _environment(name: str) -> Path:
    """Return the Python of the environment, which is made where it is missing or pinned otherwise."""
    if name == "weighlock":
        return Path(sys.executable)
    folder = CACHE / name
    python, mark, pins = folder / "bin" / "python", folder / ".pins", "\n".join(PINNED[name])
    if not mark.exists() or mark.read_text() != pins:
        uv = ["uv", "--no-config"]
        subprocess.run([*uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)], check=True)
        subprocess.run([*uv, "pip", "install", "--quiet", "--python", str(python), *PINNED[name]], check=True)
        mark.write_text(pins)
    return python


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)  # noqa: T201 - a tool talks


if __name__ == "__main__":
    main()
