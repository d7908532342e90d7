"""Run a command line many times in one process: words on stdin ([[...], ...]), on stdout [null or the error's words, ...].

For a Python program that takes a second to start; its name, as pip installed it, is the first argument.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from importlib.metadata import entry_points


def main() -> None:
    """Run the commands."""
    [found] = entry_points(group="console_scripts", name=sys.argv[1])
    command = found.load()
    answers: list[str | None] = []
    for words in json.load(sys.stdin):
        said, code = io.StringIO(), 0
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            try:
                command(words)
            except SystemExit as end:
                code = 0 if end.code is None else 1 if isinstance(end.code, str) else int(end.code)
        answers.append(said.getvalue() if code else None)
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
