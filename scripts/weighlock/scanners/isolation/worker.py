"""The worker: answers one request a line about files of a model, until its input ends. Runs in a process of its own.

It is started by `isolation.Isolated` with nothing but our package on its path, in an empty folder, under limits. Its
answers go to a pipe that nothing else in the process knows: what a scanner prints is thrown away.
"""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any, TextIO

from weighlock.errors import UnfinishedError
from weighlock.jsonio import Json
from weighlock.scanners import Severity
from weighlock.scanners.files import Inside
from weighlock.scanners.isolation.confine import allow, answers, confine
from weighlock.scanners.isolation.wire import examined_to, file_from


def main() -> None:
    """Read the set-up from the first line, become confined, and answer the lines that follow."""
    requests, replies = sys.stdin, answers()
    setup = json.loads(requests.readline())
    confine(setup["memory"], setup["seconds"])
    try:
        engines = [_make(*item) for item in setup["engines"]]
    except Exception as error:  # noqa: BLE001 - whatever it is, there is no scan
        words = f"the scan's process cannot start: {type(error).__name__}: {error}"
        _say(replies, {"unfinished": words[:1000], "remedy": "Install weighlock with the extra `scan`."})
        return
    inside = Inside(engines, Severity[setup["fail_on"]], setup["sizes"])
    for line in requests:
        request = json.loads(line)
        allow(request["seconds"])
        _say(replies, answer(inside, request))


def answer(inside: Inside, request: Json) -> Json:
    """Return what the parent asked for, or the error that ends its scan."""
    files = [file_from(item) for item in request["files"]]
    try:
        match request["task"]:
            case "recognise":
                return {"formats": inside.recognise(files)}
            case "settle":
                return {"formats": inside.settle(files)}
            case _:
                return examined_to(inside.examine(files[0]))
    except UnfinishedError as error:
        return {"unfinished": error.what, "remedy": error.remedy}
    except Exception as error:  # noqa: BLE001 - a bug or a limit: it is told, and the file is unscanned
        return {"lost": f"the scan failed: {type(error).__name__}: {error}"[:1000]}


def _say(replies: TextIO, document: Json) -> None:
    replies.write(json.dumps(document) + "\n")
    replies.flush()


def _make(module: str, attribute: str, options: Json) -> Any:
    """Make an engine from the name of its class."""
    return getattr(importlib.import_module(module), attribute)(**options)
