"""Give an action a locked, isolated environment and run one stage of Weighlock in it. Standard library only.

    python3 -I scripts/launch.py STAGE [ARGUMENT...]      run a stage in the environment of its lock
    python3 -I scripts/launch.py --prepare LOCK DIR       make DIR such an environment, with a `weighlock` command

A stage's lock is ``requirements/STAGE.txt``: versions with hashes, no index. Only a scan that is given a ``previous``
release has another, since to verify that takes half again as many packages. Environments stand outside the workspace,
in ``$WEIGHLOCK_ENV_DIR``, else ``$RUNNER_TEMP/weighlock``, else the user's cache, and are made once a lock and Python.
The workspace is hostile: it may hold ``venv.py``, ``pip/``, ``uv.toml`` or ``sitecustomize.py``. So every Python runs
with ``-I``, every installer runs in another folder, and variables that would steer them are left out.

It imports none of its neighbours, which ``-I`` hides, and runs on Python 3.8, so that an old Python can find a newer one.
Each environment gets a copy of ``compiled.py``. Exit codes: the stage's own; 2 for a wrong call; 3 where there is no environment for the stage.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, NoReturn

SCRIPTS = Path(__file__).resolve().parent
LOCKS = SCRIPTS.parent / "requirements"
COMPILED = SCRIPTS / "compiled.py"
OLDEST = (3, 10)
NEWEST = (3, 14)
LIMITS = dict.fromkeys(("scan", "rescan", "check", "release", "dev"), (3, 12))  # modelscan does not install on 3.13
MARKER = ".weighlock"  # holds the key of a finished environment, and nothing while it is made
OPTIONS = ("--quiet", "--require-hashes", "--no-deps", "--only-binary", ":all:", "-r")
PIP_OPTIONS = ("--no-input", "--no-compile", "--disable-pip-version-check", "--no-warn-script-location")
PROBE = "import json, sys; print(json.dumps([sys.version_info[:2], sys.version, sys.executable, sys.base_prefix]))"
# What `pip --python` starts in the other interpreter, since 22.2; started by us, one Python less has to start, and -I holds.
PIP = "import pathlib, pip; print(pathlib.Path(pip.__file__).with_name('__pip-runner__.py').resolve(strict=True))"
RUN = (
    "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); "
    "runpy.run_module('weighlock', run_name='__main__', alter_sys=True)"
)
# All that may steer an installer: where packages come from, and how to get there. The hashes hold in any case.
KEPT = frozenset(
    {
        *("INDEX_URL", "EXTRA_INDEX_URL", "DEFAULT_INDEX", "INDEX", "FIND_LINKS", "NO_INDEX", "INDEX_STRATEGY"),
        *("TRUSTED_HOST", "INSECURE_HOST", "CERT", "CLIENT_CERT", "NATIVE_TLS", "SYSTEM_CERTS", "PROXY"),
        *("KEYRING_PROVIDER", "CONFIG_FILE", "CACHE_DIR", "NO_CACHE", "NO_CACHE_DIR", "LINK_MODE", "OFFLINE"),
        *("RETRIES", "TIMEOUT", "DEFAULT_TIMEOUT", "HTTP_TIMEOUT"),
    }
)


class LaunchError(Exception):
    """There is no environment for the stage; the message says why and what to do."""


class Python(NamedTuple):
    """An interpreter: its version, and what an environment made with it depends on."""

    version: tuple[int, int]
    build: str
    executable: str
    prefix: str


def main(words: Sequence[str]) -> int:
    """Run the command line; see the module's docstring."""
    prepare = len(words) == 3 and words[0] == "--prepare"
    if not words or (words[0].startswith("-") and not prepare):
        _complain("usage: launch.py STAGE [ARGUMENT...], or launch.py --prepare LOCK DIR")
        return 2
    try:
        if prepare:
            make(words[1], Path(words[2]).absolute())
            return 0
        run(words[0], words[1:])
    except (LaunchError, OSError, RuntimeError) as error:  # the last where nobody knows the user's home
        _complain(str(error))
        return 3


def run(stage: str, arguments: Sequence[str]) -> NoReturn:
    """Become the stage."""
    folder = make(_lock(stage, arguments))
    command = [_program(folder, "python"), "-I", "-X", "utf8", "-c", RUN, str(SCRIPTS), stage, *arguments]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    sys.stderr.flush()
    if os.name == "nt":  # where exec would end this process before its successor
        sys.exit(subprocess.call(command, env=environ))
    os.execve(command[0], command, environ)  # noqa: S606 - no shell is what we want


def make(lock: str, place: Path | None = None) -> Path:
    """Return the folder of a finished environment that holds what ``requirements/<lock>.txt`` lists.

    It is one below `home`, used again where it is there; or it is `place`, which gets the `weighlock` command as well.
    """
    source = LOCKS / (lock + ".txt")
    if not lock.isalpha() or not source.is_file():
        known = ", ".join(sorted(path.stem for path in LOCKS.glob("*.txt")))
        raise LaunchError(f"There is no lock '{lock}', only: {known}.")
    python = find_python(lock)
    texts = [python.build.encode(), python.prefix.encode(), str(SCRIPTS if place else "").encode()]
    key = hashlib.sha256(b"\0".join([source.read_bytes(), COMPILED.read_bytes(), *texts])).hexdigest()
    folder = place or home() / (lock + "-" + key[:16])
    if not _finished(folder, key):
        with _alone(folder):
            if not _finished(folder, key):
                _say(f"weighlock: preparing the environment of requirements/{lock}.txt")
                _build(folder, python, source)
                _add_compiled(folder, python)
                if place:
                    _add_command(folder, python)
                (folder / MARKER).write_text(key, encoding="utf-8")
    return folder


def _lock(stage: str, arguments: Sequence[str]) -> str:
    # argparse takes each beginning of an option that is no beginning of another: `--prev`, but not `--pre`.
    previous = os.environ.get("INPUT_PREVIOUS") or any(word.startswith("--prev") for word in arguments)
    return "rescan" if stage == "scan" and previous else stage


def home() -> Path:
    """Return where environments are kept, which is never in the workspace: a pull request could put one there."""
    given = os.environ.get("WEIGHLOCK_ENV_DIR")
    around = [os.environ.get(name) for name in ("RUNNER_TEMP", "XDG_CACHE_HOME", "LOCALAPPDATA")]
    folder = Path(given or Path(next(filter(None, around), None) or Path.home() / ".cache", "weighlock")).absolute()
    if not _outside(folder):
        raise LaunchError(f"{folder} is in the workspace. Set WEIGHLOCK_ENV_DIR to a folder outside.")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def find_python(lock: str, candidates: Iterable[str] | None = None) -> Python:
    """Return a Python that the lock supports: this one, else one from PATH, the runner's tool cache or uv."""
    newest = LIMITS.get(lock, NEWEST)
    seen = []
    for candidate in _candidates(newest) if candidates is None else candidates:
        python = _probe(candidate)
        if python and OLDEST <= python.version <= newest:
            return python
        if python:
            seen.append(f"{python.version[0]}.{python.version[1]}")
    raise LaunchError(
        f"{lock} needs Python {OLDEST[0]}.{OLDEST[1]} to {newest[0]}.{newest[1]}; found: "
        f"{', '.join(sorted(set(seen))) or 'none'}. Put one on PATH, for example with actions/setup-python."
    )


def _candidates(newest: tuple[int, int]) -> Iterator[str]:
    yield sys.executable
    minors = range(newest[1], OLDEST[1] - 1, -1)
    for name in [*(f"python3.{minor}" for minor in minors), "python3", "python"]:
        found = _which(name)
        if found:
            yield found
    tools = os.environ.get("RUNNER_TOOL_CACHE") or os.environ.get("AGENT_TOOLSDIRECTORY")
    for minor in minors if tools else ():
        for version in sorted(Path(str(tools), "Python").glob(f"3.{minor}.*/*/"), reverse=True):
            yield str(version / ("python.exe" if os.name == "nt" else "bin/python3"))
    uv = _which("uv")
    if uv:
        wanted = f">={OLDEST[0]}.{OLDEST[1]},<{newest[0]}.{newest[1] + 1}"
        found = _output([uv, "--no-config", "python", "find", "--no-project", "--no-python-downloads", wanted])
        if found:
            yield found.strip()


def _probe(candidate: str) -> Python | None:
    """Ask an interpreter what it is; None for what does not run, such as a version manager's stub."""
    if candidate == sys.executable:
        return Python(sys.version_info[:2], sys.version, candidate, sys.base_prefix)
    try:
        version, build, executable, prefix = json.loads(_output([candidate, "-I", "-c", PROBE]) or "")
    except ValueError:
        return None
    return Python((version[0], version[1]), build, executable, prefix)


def _build(folder: Path, python: Python, lock: Path) -> None:
    """Make `folder` an environment; what an earlier, unfinished attempt left there goes first."""
    ours = (folder / MARKER).exists()
    if folder.is_symlink() or (folder.exists() and any(folder.iterdir()) and not ours):
        raise LaunchError(f"{folder} was not made by this launcher. Move it away and run again.")
    if ours:
        shutil.rmtree(str(folder))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).touch()
    _call([python.executable, "-I", "-m", "venv", "--without-pip", str(folder)])
    _call([*_installer(folder, python, lock.stem), *OPTIONS, str(lock)])


def _installer(folder: Path, python: Python, lock: str) -> list[str]:
    """Return the command that installs into `folder`: by uv from PATH, else uv from its own lock, else by pip."""
    inside = _program(folder, "python")
    uv = _which("uv")
    if not uv and lock != "uv":
        try:
            uv = _program(make("uv"), "uv")
        except LaunchError as error:
            _say(f"weighlock: going on without uv, which would be faster. {error}")
    if uv:
        return [uv, "--no-config", "pip", "install", "--python", inside]
    runner = _output([python.executable, "-I", "-c", PIP])
    if runner:
        return [inside, "-I", runner.strip(), "install", *PIP_OPTIONS]
    if _output([inside, "-I", "-m", "ensurepip"]):  # no pip, or an older one
        return [inside, "-I", "-m", "pip", "install", *PIP_OPTIONS]
    raise LaunchError(
        f"{python.executable} has neither pip nor ensurepip, and uv is not on PATH. Install one of them "
        "(on Debian the packages python3-pip or python3-venv)."
    )


def _packages(folder: Path, python: Python) -> Path:
    inside = ("Lib",) if os.name == "nt" else ("lib", f"python{python.version[0]}.{python.version[1]}")
    return folder.joinpath(*inside, "site-packages")


def _add_compiled(folder: Path, python: Python) -> None:
    """Let the environment keep what is compiled of the scripts; its Python reads the ``.pth`` file as it starts."""
    packages = _packages(folder, python)
    shutil.copyfile(str(COMPILED), str(packages / "_weighlock_compiled.py"))
    (packages / "_weighlock_compiled.pth").write_text("import _weighlock_compiled\n", encoding="utf-8")


def _add_command(folder: Path, python: Python) -> None:
    """Make `weighlock` importable in the environment, and a command of it; no build backend takes part."""
    (_packages(folder, python) / "weighlock.pth").write_text(f"{SCRIPTS}\n", encoding="utf-8")
    script = folder / "bin" / "weighlock"
    script.write_text(f'#!/bin/sh\nexec {shlex.quote(_program(folder, "python"))} -Im weighlock "$@"\n')
    script.chmod(0o755)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the lock of `folder` among processes; it ends with the process, so a crash leaves nothing locked."""
    name = hashlib.sha256(str(folder).encode()).hexdigest()[:16] + ".lock"
    with open(str(home() / name), "wb") as stream:  # noqa: PTH123 - the same line on Python 3.8
        if os.name == "nt":
            import msvcrt  # noqa: PLC0415 - exists on Windows only

            msvcrt.locking(stream.fileno(), msvcrt.LK_LOCK, 1)  # type: ignore[attr-defined, unused-ignore]
        else:
            import fcntl  # noqa: PLC0415 - exists everywhere else

            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _finished(folder: Path, key: str) -> bool:
    try:
        return (folder / MARKER).read_text(encoding="utf-8") == key
    except OSError:
        return False


def _program(folder: Path, name: str) -> str:
    return str(folder / "Scripts" / (name + ".exe") if os.name == "nt" else folder / "bin" / name)


def _which(name: str) -> str | None:
    """Find a program on PATH, but neither in the current folder nor in the workspace."""
    folders = [Path(item) for item in os.environ.get("PATH", "").split(os.pathsep)]
    safe = [str(folder) for folder in folders if folder.is_absolute() and _outside(folder)]
    return shutil.which(name, path=os.pathsep.join(safe)) if safe else None


def _outside(path: Path) -> bool:
    workspace = os.environ.get("GITHUB_WORKSPACE")
    return not workspace or Path(workspace).resolve() not in (path.resolve(), *path.resolve().parents)


def _environ() -> dict[str, str]:
    """Return the variables that installers and interpreters may see."""
    kept = {}
    for name, value in os.environ.items():
        family, _, rest = name.partition("_")
        credentials = family == "UV" and rest.startswith("INDEX_")
        if family in {"PIP", "UV"} and rest not in KEPT and not credentials:
            continue
        if not name.startswith("PYTHON") and name not in {"VIRTUAL_ENV", "CONDA_PREFIX", "__PYVENV_LAUNCHER__"}:
            kept[name] = value
    return kept


def _output(command: Sequence[str]) -> str | None:
    """Return what a command prints, None where it fails or cannot be run."""
    try:
        done = subprocess.run(  # the folder is ours: an installer would read settings from the workspace
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=_environ(), cwd=str(SCRIPTS), check=False
        )
    except OSError:
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None


def _call(command: Sequence[str]) -> None:
    """Run a command; where it fails, a `LaunchError` holds the end of what it said."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=_environ(), cwd=str(SCRIPTS), check=False
    )
    if done.returncode:
        words = done.stdout.decode("utf-8", "replace").strip()[-2000:]
        raise LaunchError(f"'{' '.join(map(shlex.quote, command))}' failed:\n{words}")


def _say(words: str) -> None:
    sys.stderr.write(words + "\n")
    sys.stderr.flush()


def _complain(words: str) -> None:
    if os.environ.get("GITHUB_ACTIONS") == "true":  # the one command outside github.py, which cannot be imported yet
        escaped = words.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
        _say("::error title=Weighlock cannot start::" + escaped)
    else:
        _say("weighlock: " + words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
