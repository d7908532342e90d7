"""The launcher in a hostile workspace; a miniature of the repository, its lock and the wheel in it are made here."""

from __future__ import annotations

import ast
import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import launch
from tools import require

LAUNCHER = Path(launch.__file__)
PROGRAM = """
import json, os, sys, ballast
print(json.dumps({
    "arguments": sys.argv[1:], "isolated": sys.flags.isolated, "folder": os.getcwd(), "ballast": ballast.__file__,
    "python": sorted(name for name in os.environ if name.startswith("PYTHON")),
}))
sys.exit(int(os.environ.get("CODE", "0")))
"""


@dataclass
class Bench:
    """A repository with one stage, the wheel that its lock names, and a workspace to start from."""

    root: Path
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def workspace(self) -> Path:
        return self.root / "workspace"

    @property
    def environments(self) -> Path:
        return self.root / "environments"

    def made(self) -> list[Path]:
        return sorted(path for path in self.environments.glob("*/.weighlock") if path.read_text())

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-I", str(self.root / "repository/scripts/launch.py"), *words]

    def start(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words),
            env=self.environ | more,
            cwd=self.workspace,
            text=True,
            capture_output=True,
            check=False,
            timeout=120,
        )


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    require("uv")
    wheel = _wheel(tmp_path / "wheels", "ballast")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    for folder in ("repository/scripts/weighlock", "repository/requirements", "workspace", "home", "bin"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("launch.py", "compiled.py"):
        shutil.copy(LAUNCHER.parent / name, tmp_path / "repository/scripts" / name)
    (tmp_path / "repository/scripts/weighlock/__init__.py").touch()
    (tmp_path / "repository/scripts/weighlock/__main__.py").write_text(PROGRAM)
    (tmp_path / "repository/requirements/sign.txt").write_text(f"ballast==1 --hash=sha256:{digest}\n")
    (tmp_path / "repository/requirements/uv.txt").write_text(f"uv==0.1 --hash=sha256:{'0' * 64}\n")
    (tmp_path / "bin/uv").symlink_to(str(shutil.which("uv")))
    environ = {
        "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin",
        "HOME": str(tmp_path / "home"),
        "WEIGHLOCK_ENV_DIR": str(tmp_path / "environments"),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(wheel.parent),
        "UV_OFFLINE": "1",
        "UV_FIND_LINKS": str(wheel.parent),
        "UV_CACHE_DIR": str(tmp_path / "uv-cache"),
    }
    return Bench(tmp_path, environ)


def _wheel(folder: Path, name: str) -> Path:
    folder.mkdir()
    wheel = folder / f"{name}-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{name}.py", "")
        archive.writestr(f"{name}-1.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        archive.writestr(f"{name}-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{name}-1.dist-info/RECORD", "")
    return wheel


def without_uv(bench: Bench) -> None:
    (bench.root / "bin/uv").unlink()


def test_a_stage_runs_isolated_in_its_environment(bench: Bench) -> None:
    done = bench.start("sign", "a b", "--key=x", CODE="1", PYTHONPATH=".", PYTHONSTARTUP="x")
    assert done.returncode == 1, done.stderr
    said = json.loads(done.stdout)
    assert said["arguments"] == ["sign", "a b", "--key=x"]
    assert said["isolated"] == 1
    assert said["folder"] == str(bench.workspace)
    assert said["python"] == []
    assert Path(said["ballast"]).is_relative_to(bench.environments)


def test_nothing_is_written_beside_the_scripts_or_into_the_workspace(bench: Bench) -> None:
    before = sorted((bench.root / "repository").rglob("*"))
    assert bench.start("sign").returncode == 0
    assert sorted((bench.root / "repository").rglob("*")) == before
    assert list(bench.workspace.iterdir()) == []


def test_the_environment_keeps_what_is_compiled_of_the_scripts_and_nothing_else(bench: Bench) -> None:
    assert bench.start("sign").returncode == 0
    (marker,) = bench.made()
    (cache,) = marker.parent.glob("pycache")
    weighlock = bench.root / "repository/scripts/weighlock"
    kept = {Path("/", path.relative_to(cache)).parent for path in cache.rglob("*.pyc")}
    assert kept == {weighlock}
    old = next(cache.rglob("__init__.*.pyc"))
    before = old.read_bytes()
    (weighlock / "__init__.py").write_text("CHANGED = 'by a new commit'\n")
    assert bench.start("sign").returncode == 0
    assert b"by a new commit" in old.read_bytes() != before


def test_the_second_run_uses_the_environment_again(bench: Bench) -> None:
    assert "preparing" in bench.start("sign").stderr
    shutil.rmtree(bench.root / "wheels")
    again = bench.start("sign")
    assert (again.returncode, again.stderr) == (0, "")


def test_an_unfinished_environment_is_made_again(bench: Bench) -> None:
    assert bench.start("sign").returncode == 0
    (marker,) = bench.made()
    marker.write_text("")
    next(marker.parent.rglob("ballast.py")).unlink()
    assert bench.start("sign").returncode == 0


def test_another_lock_is_another_environment(bench: Bench) -> None:
    assert bench.start("sign").returncode == 0
    lock = bench.root / "repository/requirements/sign.txt"
    lock.write_text(lock.read_text() + "# changed\n")
    assert bench.start("sign").returncode == 0
    assert len(bench.made()) == 2


@pytest.mark.parametrize(
    ("words", "more", "lock"),
    [
        ((), {}, "scan"),
        ((), {"INPUT_PREVIOUS": ""}, "scan"),
        ((), {"INPUT_PREVIOUS": "oci:earlier"}, "rescan"),
        (("--previous", "oci:earlier"), {}, "rescan"),
        (("--prev=oci:earlier",), {}, "rescan"),
    ],
)
def test_only_a_scan_with_an_earlier_release_brings_what_verifies_it(
    bench: Bench, words: tuple[str, ...], more: dict[str, str], lock: str
) -> None:
    locks = bench.root / "repository/requirements"
    for name in ("scan", "rescan"):
        shutil.copy(locks / "sign.txt", locks / f"{name}.txt")
    done = bench.start("scan", *words, **more)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["arguments"] == ["scan", *words]
    (marker,) = bench.made()
    assert marker.parent.name.startswith(f"{lock}-")


def test_jobs_that_start_at_once_make_one_environment(bench: Bench) -> None:
    jobs = [
        subprocess.Popen(bench.command("sign"), env=bench.environ, cwd=bench.workspace, text=True, stdout=-1, stderr=-1)
        for _ in range(4)
    ]
    said = [job.communicate(timeout=120)[1] for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0, 0, 0]
    assert sum("preparing" in words for words in said) == 1


@pytest.mark.parametrize("prepare", [lambda _: None, without_uv], ids=["uv", "pip"])
def test_a_wheel_with_other_bytes_is_refused(bench: Bench, prepare: Callable[[Bench], None]) -> None:
    prepare(bench)
    with zipfile.ZipFile(bench.root / "wheels/ballast-1-py3-none-any.whl", "a") as archive:
        archive.writestr("extra.py", "")
    done = bench.start("sign", UV_NO_VERIFY_HASHES="1", PIP_REQUIRE_HASHES="0")
    assert done.returncode == 3
    assert "hash" in done.stderr.lower()
    assert bench.made() == []


@pytest.mark.parametrize("prepare", [lambda _: None, without_uv], ids=["uv", "pip"])
def test_a_hostile_workspace_runs_nothing(bench: Bench, prepare: Callable[[Bench], None]) -> None:
    prepare(bench)
    pwned = bench.root / "pwned"
    trap = f"open({str(pwned)!r}, 'a').write(__file__)\n"
    for name in ("venv", "sitecustomize", "usercustomize", "logging", "json", "ballast"):
        (bench.workspace / f"{name}.py").write_text(trap)
    for name in ("pip", "weighlock", "ensurepip", "bin"):
        (bench.workspace / name).mkdir()
        (bench.workspace / name / "__init__.py").write_text(trap)
        (bench.workspace / name / "__main__.py").write_text(trap)
    for name in ("uv", "python3", "python3.12", "pip"):
        (bench.workspace / "bin" / name).write_text(f"#!/bin/sh\ntouch {pwned}\n")
        (bench.workspace / "bin" / name).chmod(0o755)
    (bench.workspace / "uv.toml").write_text("no-binary = true\n")
    (bench.workspace / "pyproject.toml").write_text("[tool.uv\n")
    (bench.workspace / ".python-version").write_text("2.7\n")
    done = bench.start(
        "sign",
        GITHUB_WORKSPACE=str(bench.workspace),
        PATH=f".:{bench.workspace / 'bin'}:{bench.environ['PATH']}",
        PYTHONPATH=".",
        VIRTUAL_ENV=str(bench.workspace),
        UV_CONSTRAINT="missing.txt",
        UV_EXCLUDE_NEWER="2001-01-01",
        PIP_CONSTRAINT="missing.txt",
        PIP_TARGET=str(bench.workspace / "target"),
        PIP_REQUIRE_VIRTUALENV="1",
    )
    assert done.returncode == 0, done.stderr
    assert not pwned.exists()
    assert not (bench.workspace / "target").exists()


def test_an_environment_in_the_workspace_is_refused(bench: Bench) -> None:
    done = bench.start("sign", GITHUB_WORKSPACE=str(bench.workspace), WEIGHLOCK_ENV_DIR="here")
    assert done.returncode == 3
    assert "is in the workspace" in done.stderr


def test_without_a_place_of_its_own_the_runners_temporary_folder_is_used(bench: Bench) -> None:
    assert bench.start("sign", WEIGHLOCK_ENV_DIR="", RUNNER_TEMP=str(bench.root / "temporary")).returncode == 0
    assert list((bench.root / "temporary/weighlock").glob("sign-*"))


def test_an_unknown_stage_names_the_known_ones(bench: Bench) -> None:
    for name in ("nothing", "../requirements/sign", ""):
        done = bench.start(name)
        assert done.returncode == 3
        assert "only: sign, uv" in done.stderr


def test_a_call_without_a_stage_is_wrong(bench: Bench) -> None:
    assert bench.start().returncode == 2
    assert bench.start("--prepare", "sign").returncode == 2


def test_on_github_the_reason_is_one_annotation(bench: Bench) -> None:
    (bench.root / "repository/requirements/sign.txt").write_text(f"100%\n{'x' * 5000}\n")
    done = bench.start("sign", GITHUB_ACTIONS="true")
    assert done.returncode == 3
    (line,) = [line for line in done.stderr.splitlines() if "::" in line]
    assert line.startswith("::error title=Weighlock cannot start::")
    assert "%0A" in line


def test_prepare_makes_a_command(bench: Bench) -> None:
    folder = bench.root / "it's made"
    assert bench.start("--prepare", "sign", str(folder)).returncode == 0
    done = subprocess.run(
        [str(folder / "bin/weighlock"), "scan", "x y"], text=True, capture_output=True, check=True, cwd=bench.workspace
    )
    assert json.loads(done.stdout)["arguments"] == ["scan", "x y"]
    again = bench.start("--prepare", "sign", str(folder))
    assert (again.returncode, again.stderr) == (0, "")


def test_prepare_leaves_what_is_not_its_own(bench: Bench) -> None:
    folder = bench.root / "mine"
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    (bench.root / "link").symlink_to(folder)
    for place in (folder, bench.root / "link"):
        done = bench.start("--prepare", "sign", str(place))
        assert done.returncode == 3
        assert "was not made by this launcher" in done.stderr
    assert (folder / "thesis.txt").read_text() == "years of work"


def _stub(path: Path, version: str) -> str:
    """Make something that answers the launcher's question as an interpreter of `version` would."""
    major, minor = version.split(".")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\necho \'[[{major}, {minor}], "{version}", "{path}", "/usr"]\'\n')
    path.chmod(0o755)
    return str(path)


def test_a_python_is_found_that_the_lock_supports(tmp_path: Path) -> None:
    broken = tmp_path / "python3.11"
    broken.write_text("#!/bin/sh\nexit 127\n")
    broken.chmod(0o755)
    talkative = tmp_path / "python3.10"
    talkative.write_text("#!/bin/sh\necho welcome\n")
    talkative.chmod(0o755)
    candidates = [
        str(tmp_path / "missing"),
        str(broken),
        str(talkative),
        _stub(tmp_path / "old", "3.9"),
        _stub(tmp_path / "new", "3.13"),
        _stub(tmp_path / "fit", "3.12"),
    ]
    assert launch.find_python("scan", candidates).executable == candidates[-1]
    assert launch.find_python("sign", candidates).executable == candidates[-2]


def test_no_python_names_those_that_do_not_fit(tmp_path: Path) -> None:
    candidates = [_stub(tmp_path / "old", "3.9"), _stub(tmp_path / "new", "3.13")]
    with pytest.raises(launch.LaunchError, match=r"needs Python 3\.10 to 3\.12; found: 3\.13, 3\.9"):
        launch.find_python("release", candidates)


def test_the_runners_tool_cache_is_searched(bench: Bench) -> None:
    fit = _stub(bench.root / "tools/Python/3.12.4/x64/bin/python3", "3.12")
    script = "import sys; sys.path.insert(0, sys.argv[1]); import launch;print(*launch._candidates((3, 12)), sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-I", "-c", script, str(LAUNCHER.parent)],
        env={"PATH": "", "RUNNER_TOOL_CACHE": str(bench.root / "tools")},
        text=True,
        capture_output=True,
        check=True,
    )
    assert done.stdout.splitlines() == [sys.executable, fit]


def test_an_old_python_can_read_it() -> None:
    assert ast.parse(LAUNCHER.read_text(), feature_version=(3, 8))
