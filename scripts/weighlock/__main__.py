"""The console: a stage's name, its inputs, one run, one report. The only place that turns errors into exit codes."""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

from weighlock import __version__, commandline, github
from weighlock.errors import UnfinishedError, WeighlockError
from weighlock.stages import Context, Outcome
from weighlock.text import printable

_CLEAR = "\r\x1b[K"  # to the beginning of a terminal's line, and nothing on it
STAGES = {
    "init": "write weighlock.yml and the workflows for the models of a repository",
    "scan": "look for unsafe serialization in a model's files",
    "audit": "look for known vulnerabilities in a model's requirements",
    "plan": "say which models of a repository a change touches",
    "compare": "say how a model differs from the one in another commit",
    "check": "scan and audit the models that a change touches",
    "gate": "turn the results of all jobs into one verdict",
    "describe": "write down what provenance is to say beside the run, for seal",
    "package": "write a model as an OCI artifact and print its digest",
    "sign": "sign an artifact and the files in it",
    "attest": "attach a signed statement to an artifact",
    "verify": "check an artifact and all its evidence against a pinned identity",
    "shelve": "give the evidence of a release to GitHub's own store of attestations",
    "policy": "show what a verification policy asks, or export it for cosign, gh and clusters",
    "pull": "verify an artifact, then write its files",
    "seal": "sign an artifact that was scanned and packaged elsewhere, and tag it last",
    "fetch": "write the files of an artifact that nobody has signed yet, to scan them",
    "release": "scan, audit, package, sign, attest, verify and tag in one step",
    "copy": "carry an artifact with all its evidence to another place, by digest",
    "inspect": "show what hangs on an artifact",
    "keygen": "make a key pair for signing without Sigstore's public service",
    "doctor": "say what this environment can and cannot do",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 passed, 1 refused, 2 wrong inputs, 3 could not finish."""
    parser = argparse.ArgumentParser("weighlock", description=__import__("weighlock").__doc__)
    parser.add_argument("--version", action="version", version=f"weighlock {__version__}")
    commands = parser.add_subparsers(dest="stage", metavar="COMMAND", required=True)
    words = list(sys.argv[1:] if arguments is None else arguments)
    for name, purpose in STAGES.items():
        command = commands.add_parser(
            name,
            help=purpose,
            description=purpose.capitalize() + ".",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if name in words:
            commandline.add_arguments(command, stage(name).Inputs)
            command.epilog = getattr(stage(name), "EXAMPLES", None)
    namespace = parser.parse_args(words)
    common = commandline.common(namespace)
    logging.basicConfig(level=logging.DEBUG if common.verbose else logging.ERROR, format="%(name)s: %(message)s")
    try:
        return _run(namespace.stage, vars(namespace), common)
    except WeighlockError as error:
        _complain(error, verbose=common.verbose)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except Exception:  # noqa: BLE001 - a bug must not end in the exit code of a verdict
        traceback.print_exc()
        _say("weighlock: this is a bug in weighlock; please report it with the lines above")
        return 3


def stage(name: str) -> Any:
    """Import a stage's module; only the one that runs is imported, since each action installs its own extra."""
    return importlib.import_module(f"weighlock.stages.{name}")


def _run(name: str, given: dict[str, Any], common: commandline.Common) -> int:
    module = stage(name)
    inputs = commandline.fill(module.Inputs, given, os.environ)
    github.announce(commandline.spelled(name, inputs), os.environ)
    live = _live if sys.stderr.isatty() and not common.quiet else None
    say = (lambda _: None) if common.quiet else _say
    context = Context(say=say, live=live, build=github.build(os.environ), made=github.made(os.environ))
    try:
        outcome: Outcome = module.run(inputs, context)
    except OSError as error:
        raise UnfinishedError(
            f"{printable(str(error))}", remedy="Mend it (disk full? permissions?) and run again."
        ) from error
    words = json.dumps(outcome.data(), indent=2) + "\n" if common.json else outcome.text()
    sys.stdout.write(github.harmless(words, os.environ, json=common.json))
    sys.stdout.flush()
    github.report(name, inputs, outcome, os.environ)
    return 0 if outcome.passed else 1


def _say(words: str) -> None:
    begin = _CLEAR if sys.stderr.isatty() else ""
    sys.stderr.write(begin + github.harmless(words, os.environ) + "\n")
    sys.stderr.flush()


def _live(words: str) -> None:
    """Write words that the next ones, live or not, take the place of."""
    sys.stderr.write(_CLEAR + words)
    sys.stderr.flush()


def _complain(error: WeighlockError, *, verbose: bool) -> None:
    if verbose:
        traceback.print_exc()
    _say(f"weighlock: {error}")
    github.complain(error, os.environ)


if __name__ == "__main__":
    sys.exit(main())
