from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest

from auditing.loopback import Index, Osv, PyPIJson, advisory, osv_entry
from weighlock.auditing import Service
from weighlock.errors import InputError, RefusedError, UnfinishedError
from weighlock.gate import require_passed
from weighlock.predicates import VULNERABILITIES
from weighlock.stages import Context
from weighlock.stages.audit import Inputs, Outputs, run

SCHEMA = json.loads((files("weighlock") / "schemas" / "audit.json").read_text("utf-8"))


@pytest.fixture
def index() -> Iterator[Index]:
    with Index() as server:
        server.wheel("tool", "1.0", requires=("part>=1",))
        server.wheel("part", "1.5")
        yield server


@pytest.fixture
def pypi() -> Iterator[PyPIJson]:
    with PyPIJson({"tool==1.0": [], "part==1.5": []}) as server:
        yield server


@pytest.fixture
def context(index: Index, tmp_path: Path) -> Context:
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PIP_INDEX_URL": f"{index.url}/simple",
        "PIP_CONFIG_FILE": os.devnull,
        "NO_PROXY": "*",
    }
    return Context(environ)


def audit(folder: Path, context: Context, service: PyPIJson | Osv, content: str) -> Outputs:
    (folder / "requirements.txt").write_text(content)
    kind, url = (Service.OSV, f"{service.url}/v1/query") if isinstance(service, Osv) else (Service.PYPI, service.url)
    inputs = Inputs(
        folder / "requirements.txt",
        service=kind,
        service_url=url,
        report=folder / "audit.json",
        predicate=folder / "predicate.json",
    )
    outputs = run(inputs, context)
    report = json.loads((folder / "audit.json").read_text())
    jsonschema.Draft202012Validator(SCHEMA).validate(report)
    assert report == outputs.data()
    assert outputs.report == str(folder / "audit.json")
    assert outputs.verdict == report["verdict"]
    return outputs


def test_a_clean_model_passes(tmp_path: Path, context: Context, pypi: PyPIJson) -> None:
    outputs = audit(tmp_path, context, pypi, "tool")
    assert outputs.passed
    assert not outputs.problems()
    assert [(item["name"], item["version"]) for item in outputs.data()["dependencies"]] == [
        ("part", "1.5"),
        ("tool", "1.0"),
    ]
    predicate = json.loads((tmp_path / "predicate.json").read_text())
    assert predicate["scanner"]["result"] == []
    assert predicate["unaudited"] == []


def test_a_vulnerable_dependency_of_a_dependency_fails(tmp_path: Path, context: Context, pypi: PyPIJson) -> None:
    pypi.known["part==1.5"] = [advisory("PYSEC-2024-1", "1.6", aliases=("CVE-2024-1",))]
    outputs = audit(tmp_path, context, pypi, "\ntool==1.0 ; python_version >= '3'")
    assert not outputs.passed
    assert (outputs.verdict, outputs.vulnerabilities, outputs.unaudited) == ("vulnerable", 1, 0)
    (problem,) = outputs.problems()
    assert (problem.path, problem.line) == ("requirements.txt", 2)
    assert problem.message == (
        "part 1.5, needed by tool: PYSEC-2024-1 (CVE-2024-1), fixed in 1.6. Add part>=1.6 in requirements.txt."
    )
    predicate = json.loads((tmp_path / "predicate.json").read_text())
    assert [item["id"] for item in predicate["scanner"]["result"]] == ["PYSEC-2024-1"]


WAIVERS = """\
version: 1
audit:
  waivers:
  - {vulnerability: CVE-2024-1, package: part, reason: not reached, owner: team-ml, expires: 2999-12-31}
  - {vulnerability: PYSEC-2024-2, package: part, reason: not reached, owner: team-ml, expires: 2024-02-29}
  - {vulnerability: PYSEC-2024-1, package: tool, reason: not reached, owner: team-ml, expires: 2999-12-31}
"""


def waived(folder: Path, context: Context, pypi: PyPIJson, *known: dict[str, object]) -> tuple[Outputs, list[str]]:
    pypi.known["part==1.5"] = list(known)
    (folder / "requirements.txt").write_text("tool")
    (folder / "policy.yml").write_text(WAIVERS)
    said: list[str] = []
    inputs = Inputs(
        folder / "requirements.txt",
        config=folder / "policy.yml",
        service_url=pypi.url,
        predicate=folder / "predicate.json",
    )
    outputs = run(inputs, dataclasses.replace(context, say=said.append))
    jsonschema.Draft202012Validator(SCHEMA).validate(outputs.data())
    return outputs, [words for words in said if words.startswith("weighlock.yml")]


def test_what_somebody_answers_for_passes_and_stays_in_the_report(
    tmp_path: Path, context: Context, pypi: PyPIJson
) -> None:
    outputs, said = waived(tmp_path, context, pypi, advisory("PYSEC-2024-1", "1.6", aliases=("CVE-2024-1",)))
    assert outputs.passed
    assert "PYSEC-2024-1 (CVE-2024-1), fixed in 1.6: team-ml answers for it until 2999-12-31" in outputs.text()
    (part, _) = outputs.data()["dependencies"]
    assert part["vulnerabilities"] == []
    assert part["waived"][0]["waiver"] == {"reason": "not reached", "owner": "team-ml", "expires": "2999-12-31"}
    assert said == [
        "weighlock.yml, line 5: the waiver for PYSEC-2024-2 in part fits nothing that was found; remove it",
        "weighlock.yml, line 6: the waiver for PYSEC-2024-1 in tool fits nothing that was found; remove it",
    ]
    predicate = json.loads((tmp_path / "predicate.json").read_text())
    assert [item["id"] for item in predicate["scanner"]["result"]] == ["PYSEC-2024-1"], "told, though waived"
    require_passed(VULNERABILITIES, predicate)


def test_a_waiver_that_ran_out_fails_and_says_when(tmp_path: Path, context: Context, pypi: PyPIJson) -> None:
    outputs, said = waived(tmp_path, context, pypi, advisory("PYSEC-2024-2"))
    assert (outputs.verdict, outputs.vulnerabilities) == ("vulnerable", 1)
    assert "weighlock.yml, line 5: the waiver for PYSEC-2024-2 in part ran out on 2024-02-29" in said
    with pytest.raises(RefusedError, match="known vulnerabilities"):
        require_passed(VULNERABILITIES, json.loads((tmp_path / "predicate.json").read_text()))


def test_a_waiver_covers_no_other_vulnerability(tmp_path: Path, context: Context, pypi: PyPIJson) -> None:
    outputs, _ = waived(tmp_path, context, pypi, advisory("PYSEC-2024-1", aliases=("CVE-2024-1",)), advisory("PYSEC-3"))
    assert (outputs.verdict, outputs.vulnerabilities) == ("vulnerable", 1)


def test_osv_serves_as_well(tmp_path: Path, context: Context) -> None:
    with Osv({"part==1.5": [osv_entry("GHSA-1", "part", "1.6")]}) as osv:
        outputs = audit(tmp_path, context, osv, "tool")
    assert outputs.data()["dependencies"][0]["vulnerabilities"] == [
        {"id": "GHSA-1", "aliases": [], "fixed_in": ["1.6"], "summary": "The summary of GHSA-1"}
    ]


def test_what_the_service_does_not_know_fails(tmp_path: Path, context: Context, pypi: PyPIJson) -> None:
    del pypi.known["part==1.5"]
    outputs = audit(tmp_path, context, pypi, "tool")
    assert (outputs.verdict, outputs.unaudited, outputs.passed) == ("unaudited", 1, False)
    assert outputs.problems()[0].message.startswith("part 1.5 is unaudited: the service does not know")


def test_one_hostile_line_does_not_hide_the_others(
    tmp_path: Path, context: Context, index: Index, pypi: PyPIJson
) -> None:
    marker = tmp_path / "marker"
    trap = f"open({str(marker)!r}, 'w').close()"
    url = index.sdist("evil", "1.0", {"setup.py": trap})
    (tmp_path / "setup.py").write_text(trap)
    pypi.known["tool==1.0"] = [advisory("PYSEC-1")]
    pypi.known["evil==1.0"] = [advisory("PYSEC-2")]
    lines = [f"evil @ {url}", "-e .", f"--index-url {url}", "-r ../../etc/passwd", "evil==1.0", "tool"]
    outputs = audit(tmp_path, context, pypi, "\n".join(lines))
    assert [item["requirement"] for item in outputs.data()["unaudited"]] == lines[:5]
    assert {item.dependency.name for item in outputs.result.vulnerable} == {"evil", "tool"}
    assert not marker.exists()


def test_an_empty_requirements_file_passes(tmp_path: Path, context: Context, pypi: PyPIJson) -> None:
    outputs = audit(tmp_path, context, pypi, "")
    assert outputs.passed
    assert "nothing to audit" in outputs.text()
    assert not pypi.asked


def test_a_missing_file_a_broken_index_and_a_broken_service_are_errors(
    tmp_path: Path, context: Context, index: Index, pypi: PyPIJson
) -> None:
    with pytest.raises(InputError):
        run(Inputs(tmp_path / "missing.txt", service_url=pypi.url), context)
    (tmp_path / "requirements.txt").write_text("tool")
    with pytest.raises(InputError):
        run(Inputs(tmp_path / "requirements.txt", service_url="http://example.org"), context)
    pypi.says = lambda: (200, "text/html", b"<html>")
    with pytest.raises(UnfinishedError):
        audit(tmp_path, context, pypi, "tool")
    index.broken = True
    without_retries = Context({**context.environ, "PIP_RETRIES": "0"})
    with pytest.raises(UnfinishedError):
        audit(tmp_path, without_retries, pypi, "tool")


@pytest.mark.parametrize(("flaws", "code"), [([], 0), ([advisory("X-1")], 1)])
def test_the_command_line(
    tmp_path: Path, context: Context, pypi: PyPIJson, flaws: list[dict[str, object]], code: int
) -> None:
    pypi.known["part==1.5"] = flaws
    (tmp_path / "requirements.txt").write_text("tool")
    done = subprocess.run(
        [sys.executable, "-m", "weighlock", "audit", "requirements.txt", "--json", "--service-url", pypi.url],
        cwd=tmp_path,
        env={**context.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "scripts")},
        capture_output=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(done.stdout))


def test_the_schema_is_one_and_refuses_what_is_not_an_audit() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    wrong = {"verdict": "fine", "requirements": [], "dependencies": [], "unaudited": [], "excluded": []}
    fields = {error.json_path for error in jsonschema.Draft202012Validator(SCHEMA).iter_errors(wrong)}
    assert fields == {"$.verdict", "$.requirements"}
