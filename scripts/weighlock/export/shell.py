"""What the exports that are shell scripts share: one function an identity, one call a piece of evidence. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from weighlock.errors import InputError
from weighlock.export import Export, evidence

_USAGE = """\
set -eu
model=${1:?usage: sh THIS HOST/REPO@sha256:DIGEST}
case $model in
  *@sha256:*) ;;
  *) echo "give a digest: a tag may move after it was verified" >&2; exit 2 ;;
esac
"""


def script(export: Export, comments: Sequence[str], commands: Sequence[Sequence[str]]) -> str:
    """Return a POSIX script that runs one of the `commands` for each piece of evidence; ``$1`` in them is its type."""
    names = [f"by_{number}" for number in range(1, len(commands) + 1)]
    functions = [f"{name}() {{ {_words(command)}; }}" for name, command in zip(names, commands, strict=True)]
    anybody = " || ".join(f'{name} "$1"' for name in names)
    lines = [f"attested {shlex.quote(kind)}" for kind in evidence(export.policy)]
    text = "\n".join([*functions, f"attested() {{ {anybody}; }}", *lines]) + "\n"
    return "#!/bin/sh\n" + "".join(f"# {line}\n" for line in comments) + _USAGE + text


def _words(command: Sequence[str]) -> str:
    """Quote every word but our own two variables."""
    ours = {"$model": '"$model"', "oci://$model": '"oci://$model"', "$1": '"$1"'}
    if any("\0" in word for word in command):
        raise InputError("the policy holds a NUL, which no command line can carry")
    return " ".join(ours.get(word, shlex.quote(word)) for word in command)
