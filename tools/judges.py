"""One engine's judgement of many files, run in that engine's own environment by ``tools/scorecard.py``.

    python -I judges.py ENGINE < PATHS > JUDGEMENTS

Paths are JSON strings, one a line; so are the answers: outcome, exit code, and words where there are any. The engine is
imported once, and each file is judged in a fork of its own, with limits on time and memory: that is the engine's command
line as shipped, without paying its start for every file. Weighlock scans all in one run instead, as it would a model.
Standard library and the engine only.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

SECONDS = 60  # for one file
MEMORY = 4 << 30  # bytes of address space

STOPPED, CLEAN, UNCLEAR = "stopped", "clean", "unclear"
Judgement = tuple[str, int | None]
"""Outcome, and the exit code of a command line (None for a library)."""


def command(main: Callable[[], Any], *words: str) -> tuple[int, str]:
    """Run a command line in this process and return its exit code and what it printed."""
    printed = io.StringIO()
    before, sys.argv = sys.argv, list(words)
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            code = main()
    except SystemExit as ended:
        code = ended.code
    finally:
        sys.argv = before
    return (code if isinstance(code, int) else 0 if code is None else 1), printed.getvalue()


def report(main: Callable[[], Any], *words: str) -> tuple[int, dict[str, Any]]:
    """Run a command line that writes JSON to a file, whose name goes behind the words."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "report.json")
        code, _ = command(main, *words, str(path))
        document: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return code, document


def weighlock(paths: Sequence[str]) -> Iterator[Judgement]:
    """Judge all files by one scan of the folder that holds them, as one model, each by its worst row.

    Unsafe is stopped, review and unscanned are unclear. Its own workers bring the limits.
    """
    top = os.path.commonpath(paths)
    _, found = report(_main("weighlock.__main__"), "weighlock", "scan", top, "--report")
    verdicts = {row["path"]: row["verdict"] for row in found["files"]}
    for path in paths:
        name = Path(path).relative_to(top).as_posix()
        own = {verdict for row, verdict in verdicts.items() if row == name or row.startswith(name + "/")}
        yield (STOPPED if "unsafe" in own else CLEAN if own == {"safe"} else UNCLEAR), None


def modelscan(path: str) -> Judgement:
    """Judge by issues, then by the exit code; 3 is nothing scanned, 2 an error."""
    code, found = report(_main("modelscan.cli"), "modelscan", "-p", path, "-r", "json", "--show-skipped", "-o")
    issues = found.get("summary", {}).get("total_issues", 0)
    return (STOPPED if issues else CLEAN if code == 0 else UNCLEAR), code


def picklescan(path: str, *options: str) -> Judgement:
    """Judge by the exit code, and by the count of scanned files."""
    code, printed = command(_main("picklescan.cli"), "picklescan", "-p", path, *options)
    nothing = "Scanned files: 0" in printed or "ERROR" in printed
    return {0: UNCLEAR if nothing else CLEAN, 1: STOPPED}.get(code, UNCLEAR), code


def picklescan_strict(path: str) -> Judgement:
    """Judge with ``--strict``."""
    return picklescan(path, "--strict")


def fickling(path: str) -> Judgement:
    """Judge files by its library, zips member by member; above LIKELY_SAFE is stopped, an error unclear."""
    loader = importlib.import_module("fickling.loader")
    safe = importlib.import_module("fickling.analysis").Severity.LIKELY_SAFE
    results = []
    for file in _files(path):
        archive = _is_zip(file)
        results += list(loader.scan_zip_archive(file, graceful=True).values()) if archive else []
        results += [] if archive and results else [loader.scan_file(file, graceful=True)]
    if any(found.severity > safe for result in results for found in result.results):
        return STOPPED, None
    return (UNCLEAR if any(result.errors for result in results) else CLEAN), None


def modelaudit(path: str) -> Judgement:
    """Judge by the exit code: 1 is a warning or worse, 2 an error."""
    code, _ = command(
        importlib.import_module("modelaudit.__main__")._run,  # noqa: SLF001 - what its own command calls
        "modelaudit", "scan", "--format", "json", "--no-cache", path,
    )  # fmt: skip
    return {0: CLEAN, 1: STOPPED}.get(code, UNCLEAR), code


def hayward(path: str) -> Judgement:
    """Judge by findings of high severity or worse; a coverage gap is unclear."""
    code, found = command(_main("hayward.cli"), "hayward", "scan", path, "-f", "json", "--fail-on", "high")
    document = json.loads(found[found.index("{") :]) if "{" in found else {}
    grave = [item for item in document.get("findings", []) if item["severity"] in {"high", "critical"}]
    gaps = document.get("coverage_gaps", [True])
    return (STOPPED if grave else UNCLEAR if gaps or code > 1 else CLEAN), code


ENGINES: dict[str, tuple[Callable[[str], Judgement], Sequence[str]]] = {
    "modelscan": (modelscan, ["modelscan.cli", "modelscan.modelscan"]),
    "picklescan": (picklescan, ["picklescan.cli"]),
    "picklescan --strict": (picklescan_strict, ["picklescan.cli"]),
    "fickling": (fickling, ["fickling.loader", "fickling.analysis"]),
    "modelaudit": (modelaudit, ["modelaudit.__main__", "modelaudit.cli", "modelaudit.core"]),
    "hayward": (hayward, ["hayward.cli"]),
}
"""Engine to its judge, and what to import before the first fork."""


def main() -> None:
    """Judge every path on stdin."""
    if sys.argv[1] == "weighlock":
        for outcome, code in weighlock([json.loads(line) for line in sys.stdin]):
            print(json.dumps((outcome, code, "")))  # noqa: T201 - the answer
        return
    judge, modules = ENGINES[sys.argv[1]]
    for module in modules:
        importlib.import_module(module)
    for line in sys.stdin:
        print(json.dumps(_forked(judge, json.loads(line))), flush=True)  # noqa: T201 - the answer


def _forked(judge: Callable[[str], Judgement], path: str) -> tuple[str, int | None, str]:
    """Judge in a child; one that dies, of a limit or a bug, could not tell."""
    with tempfile.TemporaryFile("w+") as answer, tempfile.TemporaryDirectory() as folder:
        child = os.fork()
        if child == 0:
            _child(judge, path, answer, folder)
        _, status = os.waitpid(child, 0)
        answer.seek(0)
        text = answer.read()
    if status or not text:
        return UNCLEAR, None, f"ended with {status}"
    outcome, code, words = json.loads(text)
    return outcome, code, words


def _child(judge: Callable[[str], Judgement], path: str, answer: TextIO, folder: str) -> None:
    """Limit this process, judge, write the answer and end without cleaning up."""
    os.chdir(folder)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.alarm(SECONDS)
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    try:
        outcome, code = judge(path)
        words = ""
    except Exception as error:  # noqa: BLE001 - a crash of the engine is one of its answers
        outcome, code, words = UNCLEAR, None, f"{type(error).__name__}: {error}"[:200]
    answer.write(json.dumps([outcome, code, words]))
    answer.flush()
    os._exit(0)


def _main(module: str) -> Callable[[], Any]:
    entry: Callable[[], Any] = importlib.import_module(module).main
    return entry


def _files(path: str) -> Iterator[str]:
    found = Path(path)
    yield from (str(file) for file in sorted(found.rglob("*")) if file.is_file()) if found.is_dir() else [path]


def _is_zip(path: str) -> bool:
    with open(path, "rb") as stream:  # noqa: PTH123 - as light as can be
        return stream.read(4) == b"PK\3\4"


if __name__ == "__main__":
    main()
