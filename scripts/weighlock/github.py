"""All that Weighlock knows of GitHub Actions: what runs, outputs, annotations, job summary, masks.

What is written here comes from models, and a model is hostile: a file may be called ``::stop-commands::x`` or hold a
newline and a Markdown link. Outputs stand between random delimiters, commands are escaped, the summary is HTML in which
every value is escaped and stands in ``<code>`` or ``<pre>``, where GitHub makes no links. Commands go to stderr, which
the runner reads like stdout, so that stdout stays data.

Sources: docs.github.com "Workflow commands for GitHub Actions"; actions/runner, ActionCommand.cs (both command forms).
"""

from __future__ import annotations

import dataclasses
import enum
import html
import os
import re
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from weighlock import pages
from weighlock.errors import UnfinishedError, WeighlockError
from weighlock.inputs import PASSWORD_VARIABLE
from weighlock.predicates import GITHUB_WORKFLOW, Build
from weighlock.stages import Locked, Outcome, Paged, Problem
from weighlock.text import counted, printable

ANNOTATIONS = 9  # of the 10 that GitHub shows of a type and step; the tenth says how many more there are
MESSAGE_LIMIT = 4000  # characters; GitHub cuts at 4096
SUMMARY_LIMIT = 1024 * 1024  # bytes a step; a larger summary is not shown at all
ROWS = 100  # of the summary's table
TEXT_LIMIT = 100_000  # characters of the report in the summary; escaping makes at most six of one

_MAKERS = frozenset({"release", "seal"})
_IN_REGISTRY = re.compile(r"[\w.:\[\]-]+/[\w./-]+@sha256:[0-9a-f]{64}")
_VERDICTS = {1: "refused", 2: "wrong inputs", 3: "could not finish"}


def build(environ: Mapping[str, str]) -> Build | None:
    """Return what GitHub says of this run, None elsewhere.

    The fields are those that GitHub's own attestations have. They come from variables that the job could change, so
    they say no more than the job's word does (SLSA Build L1).
    """
    if not _here(environ) or not environ.get("GITHUB_REPOSITORY"):
        return None
    server = environ.get("GITHUB_SERVER_URL", "https://github.com")
    repository = f"{server}/{environ['GITHUB_REPOSITORY']}"
    ref, commit = environ.get("GITHUB_REF", ""), environ.get("GITHUB_SHA")
    workflow, _, _ = environ.get("GITHUB_WORKFLOW_REF", "").partition("@")
    path = workflow.removeprefix(environ["GITHUB_REPOSITORY"] + "/")
    names = ("EVENT_NAME", "REPOSITORY_ID", "REPOSITORY_OWNER_ID")
    internal = {name.lower(): environ.get("GITHUB_" + name, "") for name in names}
    internal["runner_environment"] = environ.get("RUNNER_ENVIRONMENT", "")
    run = f"{repository}/actions/runs/{environ.get('GITHUB_RUN_ID', '')}"
    return Build(
        build_type=GITHUB_WORKFLOW,
        builder=f"{server}/{environ['GITHUB_WORKFLOW_REF']}" if workflow else repository,
        external={"workflow": {"ref": ref, "repository": repository, "path": path}},
        internal={"github": internal},
        dependencies=({"uri": f"git+{repository}@{ref}", "digest": {"gitCommit": commit}},) if commit else (),
        invocation=f"{run}/attempts/{environ.get('GITHUB_RUN_ATTEMPT', '1')}",
    )


def made(environ: Mapping[str, str]) -> Path | None:
    """Return the file in which the runner lists what this job made, None where it does not (actions/runner#4527)."""
    listed = environ.get("GITHUB_ARTIFACTS_LIST")
    return Path(listed) if _here(environ) and listed else None


def announce(command: str, environ: Mapping[str, str], *, stream: TextIO | None = None) -> None:
    """Hide the key's password in the log, and show the command that does the same on a laptop, folded up."""
    if not _here(environ):
        return
    out = stream or sys.stderr
    password = environ.get(PASSWORD_VARIABLE, "")
    if len(password) >= 4:  # hiding every "a" in the log would only hide the log
        out.write(_command("add-mask", password))
    out.write("::group::The same on your machine\n" + harmless(command, environ) + "\n::endgroup::\n")
    out.flush()


def harmless(words: str, environ: Mapping[str, str], *, json: bool = False) -> str:
    """Return `words` so that GitHub finds no command in them: neither ``::x::`` first on a line, nor ``##[x]`` anywhere.

    With `json`, they are an indented JSON document and mean the same as before.
    """
    if not _here(environ):
        return words
    if json:
        return words.replace("##[", "#\\u0023[")
    return re.sub(r"(?m)((?:^|\r)\s*:):", r"\1 :", words).replace("##[", "## [")


def report(
    stage: str, inputs: Any, outcome: Outcome, environ: Mapping[str, str], *, stream: TextIO | None = None
) -> None:
    """Write outputs, annotations (worst first, at most ten) and job summary, where GitHub asks for them.

    A part of a result, which another stage reports whole, gets outputs only.
    """
    if not _here(environ):
        return
    outputs = _outputs(outcome)
    _append(environ, "GITHUB_OUTPUT", "".join(entry(name, value) for name, value in outputs.items()))
    if stage in _MAKERS and outcome.passed and _IN_REGISTRY.fullmatch(outputs.get("reference", "")):
        _append(environ, "GITHUB_ARTIFACTS", f"oci://{outputs['reference']}\n")
    shown = outcome.page() if isinstance(outcome, Paged) else None
    if shown is None and isinstance(outcome, Paged):
        return
    out = stream or sys.stderr
    out.writelines(_annotations(stage, inputs, outcome, environ))
    out.flush()
    _summarise(environ, pages.rendered(shown, SUMMARY_LIMIT // 2) if shown else _page(stage, outcome, outputs))


def complain(error: WeighlockError, environ: Mapping[str, str], *, stream: TextIO | None = None) -> None:
    """Annotate the run with an error, and put it into the summary."""
    if not _here(environ):
        return
    title = f"Weighlock: {_VERDICTS.get(error.exit_code, 'failed')}"
    out = stream or sys.stderr
    out.write(_command("error", str(error), title=title))
    out.flush()
    _summarise(environ, f"<h2>{html.escape(title)}</h2>\n\n{_preformatted(str(error))}")


def entry(name: str, value: str, delimiter: Callable[[], str] = lambda: "end-" + secrets.token_hex(16)) -> str:
    """Return the lines that set an output; a value that holds its delimiter is refused, as it would set others too."""
    end = delimiter()
    if end in value:
        raise UnfinishedError(f"the output {name} holds its own delimiter", remedy="Run again: the next one differs.")
    return f"{name}<<{end}\n{value}\n{end}\n"


def _here(environ: Mapping[str, str]) -> bool:
    return environ.get("GITHUB_ACTIONS") == "true"


def _outputs(outcome: Any) -> dict[str, str]:
    """Return the action's outputs by their outside names."""
    fields = [field for field in dataclasses.fields(outcome) if "output" in field.metadata]
    return {field.name.replace("_", "-"): _value(getattr(outcome, field.name)) for field in fields}


def _value(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, enum.Enum):
        return value.name.lower()
    return "\n".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _annotations(stage: str, inputs: Any, outcome: Outcome, environ: Mapping[str, str]) -> list[str]:
    level = "warning" if outcome.passed else "error"
    title = f"Weighlock {stage}"
    problems = outcome.problems()
    lines = []
    for problem in problems[:ANNOTATIONS]:
        file = _location(inputs, problem, environ)
        place = {"file": file, **({"line": str(problem.line)} if problem.line else {})} if file else {}
        lines.append(_command(level, _described(problem), **place, title=title))
    if len(problems) > ANNOTATIONS:
        more = f"{len(problems) - ANNOTATIONS} more; the job summary names them"
        lines.append(_command(level, more, title=title))
    return lines


def _described(problem: Problem) -> str:
    place = printable(problem.path) + (f":{problem.line}" if problem.line else "")
    return f"{place}: {problem.message}" if problem.path else problem.message


def _location(inputs: Any, problem: Problem, environ: Mapping[str, str]) -> str | None:
    """Return the file's name in the repository, None for one that is not in the workspace.

    A problem's path is relative to the model, or to the folder of the requirements that were audited.
    """
    if problem.rooted:
        return problem.path if problem.path.isprintable() and problem.path else None
    model, requirements = getattr(inputs, "path", None), getattr(inputs, "requirements", None)
    if not problem.path or not environ.get("GITHUB_WORKSPACE"):
        return None
    folders = [model.parent if model.is_file() else model] if model else []
    folders += [requirements.parent] if requirements else []
    top = Path(environ["GITHUB_WORKSPACE"]).resolve()
    for folder in folders:
        file = Path(os.path.normpath(folder.resolve() / problem.path))
        if file.is_relative_to(top) and os.path.lexists(file):
            return file.relative_to(top).as_posix()
    return None


def _command(name: str, message: str, **properties: str) -> str:
    """Return a workflow command; nothing in its parts can end it or start another.

    Two colons are parted in words for people: GitHub ends a command's head at the first pair, other runners at the last.
    """
    words = re.sub(r":(?=:)", ": ", message) if properties else message  # a mask has none, and is to stay as it is
    parts = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{name}{' ' if parts else ''}{parts}::{_data(words[:MESSAGE_LIMIT])}\n"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _page(stage: str, outcome: Outcome, outputs: Mapping[str, str]) -> str:
    """Return the summary: verdict, what to mend, outputs, report. No blank line stands in a table: it would end it."""
    problems = outcome.problems()
    parts = [f"<h2>Weighlock {stage}: {'passed ✅' if outcome.passed else 'refused ❌'}</h2>"]
    if isinstance(outcome, Locked):
        parts.append(pages.passage(outcome.passage()))
    if problems:
        rows = [(problem.path, problem.message) for problem in problems[:ROWS]]
        parts.append(_table(rows, ("file", "reason")))
        if len(problems) > ROWS:
            parts.append(f"<p>{counted(len(problems) - ROWS, 'problem')} more in the report.</p>")
    parts.append(_table([(name, value) for name, value in outputs.items() if value], ("output", "value")))
    parts.append("<details><summary>Report</summary>\n\n" + _preformatted(outcome.text()) + "\n\n</details>")
    return "\n\n".join(part for part in parts if part)


def _table(rows: Sequence[tuple[str, str]], heads: tuple[str, str]) -> str:
    if not rows:
        return ""
    cells = [f"<tr><td>{pages.code(left)}</td><td>{pages.code(right)}</td></tr>" for left, right in rows]
    return "\n".join(["<table>", f"<tr><th>{heads[0]}</th><th>{heads[1]}</th></tr>", *cells, "</table>"])


def _preformatted(text: str) -> str:
    shown = text if len(text) <= TEXT_LIMIT else text[:TEXT_LIMIT] + "\n… shortened; the whole of it is in the log"
    return f"<pre>\n{html.escape(shown)}\n</pre>"


def _summarise(environ: Mapping[str, str], page: str) -> None:
    path = environ.get("GITHUB_STEP_SUMMARY")
    there = Path(path).stat().st_size if path and Path(path).is_file() else 0
    if there + len(page.encode(errors="backslashreplace")) + 2 > SUMMARY_LIMIT:
        page = "<p>Weighlock's summary would be too large; its report is in the log.</p>"
    _append(environ, "GITHUB_STEP_SUMMARY", f"{page}\n\n")


def _append(environ: Mapping[str, str], variable: str, text: str) -> None:
    path = environ.get(variable)
    if not path:
        return
    try:
        with Path(path).open("a", encoding="utf-8", errors="backslashreplace", newline="\n") as stream:
            stream.write(text)
    except OSError as error:
        raise UnfinishedError(f"{variable} cannot be written: {printable(str(error))}") from None
