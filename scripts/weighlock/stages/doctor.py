"""``weighlock doctor``: say what this environment can and cannot do, and the line that would change it."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import sys
from dataclasses import dataclass

from weighlock import __version__
from weighlock.inputs import PASSWORD_VARIABLE, output
from weighlock.jsonio import Json
from weighlock.signing import ambient
from weighlock.stages import Context, Problem

_NEEDS = {
    "scan": ("modelscan", "h5py"),
    "audit": ("pip_audit", "packaging", "pip"),
    "package to a registry": ("requests",),
    "sign, attest and verify with a key": ("cryptography",),
    "sign, attest and verify without a key": ("sigstore",),
}


@dataclass(frozen=True, slots=True)
class Inputs:
    """`doctor` is told nothing."""


@dataclass(frozen=True, slots=True)
class Ability:
    """Something that is possible here or not, and what would make it so."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""

    def to_json(self) -> Json:
        """Return the wire form."""
        return {"name": self.name, "ok": self.ok, "detail": self.detail, "remedy": self.remedy}


@dataclass(frozen=True, slots=True)
class Outputs:
    """What is possible here."""

    abilities: tuple[Ability, ...]
    able: str = output("true when every stage can run here")

    passed = True

    def data(self) -> Json:
        """Return the abilities."""
        return {"version": __version__, "abilities": [item.to_json() for item in self.abilities]}

    def text(self) -> str:
        """Return one line for each ability, and the remedy below what is not possible."""
        lines = [f"weighlock {__version__}"]
        for item in self.abilities:
            lines.append(f"{'yes' if item.ok else 'no '}  {item.name}: {item.detail}")
            if item.remedy and not item.ok:
                lines.append(f"     {item.remedy}")
        return "\n".join(lines) + "\n"

    def problems(self) -> list[Problem]:
        """Return nothing: what cannot be done here need not be done here."""
        return []


def run(inputs: Inputs, context: Context) -> Outputs:  # noqa: ARG001 - every stage takes the two
    """Look around; nothing is opened and nothing is sent."""
    stages = [_stage(name, modules) for name, modules in _NEEDS.items()]
    surroundings = [_python(), _git(), _password(context), _continuous_integration(context), _identity(context)]
    able = all(item.ok for item in stages)
    return Outputs(abilities=(*surroundings, *stages), able="true" if able else "false")


def _python() -> Ability:
    version = platform.python_version()
    ok = (3, 10) <= sys.version_info < (3, 13)
    words = "scanning works" if ok else "modelscan supports 3.10 to 3.12 only"
    return Ability("python", ok, f"{version}: {words}", "Run weighlock with Python 3.10, 3.11 or 3.12.")


def _git() -> Ability:
    found = shutil.which("git")
    detail = "provenance can name the commit" if found else "not found"
    return Ability("git", found is not None, detail, "Install git, or provenance will not name a commit.")


def _password(context: Context) -> Ability:
    there = context.password is not None
    return Ability(
        "password", there, f"{PASSWORD_VARIABLE} is {'set' if there else 'not set'}", "Only encrypted keys need it."
    )


def _continuous_integration(context: Context) -> Ability:
    here = context.environ.get("GITHUB_ACTIONS") == "true"
    detail = "GitHub Actions: provenance names this run" if here else "none whose runs provenance can name"
    return Ability("ci", here, detail, "Provenance will name the local git commit.")


def _identity(context: Context) -> Ability:
    here = ambient.look(context.environ)
    words = "an identity token to sign without a key may be asked for" if here.able else here.why
    return Ability("identity", here.able, f"{here.name}: {words}", here.remedy)


def _stage(name: str, modules: tuple[str, ...]) -> Ability:
    absent = [module for module in modules if importlib.util.find_spec(module) is None]
    detail = f"not installed: {', '.join(absent)}" if absent else "installed"
    return Ability(name, not absent, detail, "Install weighlock with the extra of that stage, or use its action.")
