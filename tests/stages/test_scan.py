"""The scan stage: a row for every file, reports on demand, and engines that fail closed."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass, field
from pathlib import Path

import jsonschema
import pytest

import hostile
from real_models import MODELS, real_model
from weighlock.config import ScanPolicy
from weighlock.errors import InputError, UnfinishedError
from weighlock.scanners import Blob, Finding, Report, Severity, Status, Verdict
from weighlock.scanners.examine import UNPACKERS
from weighlock.scanners.sniff import CONTAINERS
from weighlock.scanners.strict import Strict
from weighlock.stages import Context
from weighlock.stages.scan import Inputs, run, scan_model

SCHEMA = json.loads((Path(__file__).parents[2] / "scripts/weighlock/schemas/ledger.json").read_text())


@dataclass
class Engine:
    """A scanner that says what it was told to, and remembers what it saw."""

    report: Report | Exception
    name: str = "fake"
    version: str = "1"
    seen: list[Blob] = field(default_factory=list)

    def scan(self, blob: Blob) -> Report:
        self.seen.append(blob)
        if isinstance(self.report, Exception):
            raise self.report
        return self.report


def says(status: Status, *findings: Finding, reason: str = "") -> Engine:
    return Engine(Report("fake", "1", status, findings, reason))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    (folder / "config.json").write_bytes(b"{}")
    (folder / "sub" / "plain.pkl").write_bytes(hostile.PLAIN)
    return folder


@pytest.mark.parametrize("package", MODELS)
def test_real_models_are_safe_as_a_whole(package: str) -> None:
    folder = real_model(package)
    weighed, ledger = scan_model(folder)
    assert ledger.verdict is Verdict.SAFE, [row.reasons() for row in ledger.rows if row.verdict]
    assert {row.path: row.digest for row in ledger.rows} == weighed.digests()


def test_a_container_that_is_understood_is_complete(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(hostile.HONEST["checkpoint.pt"])
    _, ledger = scan_model(tmp_path)
    statuses = {report.engine: report.status for report in ledger.rows[0].reports}
    assert statuses == {"strict": Status.COMPLETE, "modelscan": Status.PARTIAL}


def test_every_file_has_a_row_and_every_engine_a_say(model: Path) -> None:
    _, ledger = scan_model(model)
    assert [row.path for row in ledger.rows] == ["config.json", "sub/plain.pkl"]
    assert [[report.engine for report in row.reports] for row in ledger.rows] == [["strict", "modelscan"]] * 2


@pytest.mark.parametrize(
    ("engine", "verdict"),
    [
        (says(Status.COMPLETE), Verdict.SAFE),
        (says(Status.PARTIAL), Verdict.UNSCANNED),
        (says(Status.SKIPPED), Verdict.UNSCANNED),
        (says(Status.ERROR, reason="choked"), Verdict.UNSCANNED),
        (says(Status.ERROR, Finding("x", Severity.HIGH, "bad"), reason="choked"), Verdict.UNSAFE),
        (says(Status.COMPLETE, Finding("x", Severity.LOW, "odd")), Verdict.UNSAFE),
        (Engine(ValueError("a bug")), Verdict.UNSCANNED),
    ],
)
def test_only_a_complete_and_silent_engine_makes_a_file_safe(engine: Engine, verdict: Verdict, model: Path) -> None:
    _, ledger = scan_model(model, scanners=[engine])
    assert ledger.verdict is verdict


def test_a_bug_in_an_engine_is_told_with_its_type(model: Path) -> None:
    _, ledger = scan_model(model, scanners=[Engine(KeyError("x"))])
    assert ledger.rows[0].reasons() == ["fake failed: KeyError: 'x'"]


def test_an_error_takes_an_engine_s_own_claim_back(model: Path) -> None:
    broken = says(Status.ERROR, reason="choked")
    _, ledger = scan_model(model, scanners=[says(Status.COMPLETE), broken])
    assert ledger.verdict is Verdict.UNSCANNED


@pytest.mark.parametrize("status", [Status.ERROR, Status.SKIPPED, Status.PARTIAL])
def test_an_engine_without_a_claim_is_recorded_and_costs_no_other_its_claim(status: Status, model: Path) -> None:
    other = Engine(Report("other", "2", status, reason="choked"), "other", "2")
    _, ledger = scan_model(model, scanners=[says(Status.COMPLETE), other])
    assert ledger.verdict is Verdict.SAFE
    document = ledger.to_json()
    jsonschema.validate(document, SCHEMA)
    engines = document["files"][0]["engines"]
    assert engines[1] == {"name": "other", "version": "2", "status": status.value, "reason": "choked"}


def test_an_engine_without_a_claim_can_make_a_verdict_worse(model: Path) -> None:
    finding = Finding("x", Severity.HIGH, "bad")
    other = Engine(Report("other", "2", Status.PARTIAL, (finding,)), "other", "2")
    _, ledger = scan_model(model, scanners=[says(Status.COMPLETE), other])
    assert ledger.verdict is Verdict.UNSAFE


def test_findings_below_the_threshold_are_kept_and_pass(model: Path) -> None:
    engine = says(Status.COMPLETE, Finding("x", Severity.MEDIUM, "odd"))
    _, ledger = scan_model(model, policy=ScanPolicy(fail_on=Severity.HIGH), scanners=[engine])
    assert ledger.verdict is Verdict.SAFE
    assert ledger.to_json()["files"][0]["findings"][0]["severity"] == "medium"


def test_a_claim_to_one_member_does_not_cover_another(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(hostile.zipped({"a.txt": b"text", "b": bytes(range(256))}))
    _, ledger = scan_model(tmp_path)
    assert ledger.verdict is Verdict.UNSCANNED
    assert "no rule understands this content (in b)" in ledger.rows[0].reasons()


def test_engines_see_members_as_blobs_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "m.bin").write_bytes(hostile.zipped({"in.zip": hostile.zipped({"p": hostile.PLAIN})}))
    engine = says(Status.COMPLETE)
    scan_model(tmp_path, scanners=[engine])
    assert [(blob.member, blob.format) for blob in engine.seen] == [
        (None, "zip"),
        ("in.zip", "zip"),
        ("in.zip!p", "pickle"),
    ]


def test_a_container_that_nobody_unpacks_is_not_covered(tmp_path: Path) -> None:
    content = hostile.zipped({"a.txt": b"text"})
    report = Strict().scan(Blob("a", "zip", len(content), lambda: io.BytesIO(content)))
    assert report.status is Status.PARTIAL
    assert set(UNPACKERS) == CONTAINERS


def test_a_file_that_changes_while_it_is_scanned_is_refused(model: Path) -> None:
    @dataclass
    class Swapping:
        name: str = "swap"
        version: str = "1"

        def scan(self, blob: Blob) -> Report:
            (model / blob.path).write_bytes(b"something else")
            return Report("swap", "1", Status.COMPLETE)

    with pytest.raises(UnfinishedError, match=r"config\.json' changed"):
        scan_model(model, scanners=[Swapping()])


def test_writes_the_reports_that_were_asked_for(model: Path, tmp_path: Path) -> None:
    (model / "evil one.pkl").write_bytes(hostile.payload())
    inputs = Inputs(model, tmp_path / "ledger.json", tmp_path / "out.sarif", Severity.LOW, tmp_path / "predicate.json")
    outputs = run(inputs, Context())
    ledger = json.loads((tmp_path / "ledger.json").read_text())
    jsonschema.validate(ledger, SCHEMA)
    assert ledger == outputs.data()
    assert (outputs.verdict, outputs.files, outputs.passed) == ("unsafe", 3, False)
    assert outputs.findings == 2
    sarif = json.loads((tmp_path / "out.sarif").read_text())
    results = sarif["runs"][0]["results"]
    assert {result["ruleId"] for result in results} == {"pickle.dangerous-global", "modelscan.unsafe"}
    assert {rule["id"] for rule in sarif["runs"][0]["tool"]["driver"]["rules"]} == {
        result["ruleId"] for result in results
    }
    assert results[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "evil%20one.pkl"
    assert json.loads((tmp_path / "predicate.json").read_text())["result"] == "FAILED"


def test_the_text_puts_the_worst_first_and_says_what_to_do(model: Path) -> None:
    (model / "a.bin").write_bytes(hostile.POINTER)
    (model / "z.pkl").write_bytes(hostile.payload())
    text = run(Inputs(model), Context()).text()
    assert text.startswith("unsafe: 4 files, 2 not safe\n")
    assert text.index("z.pkl") < text.index("a.bin")
    assert "posix.system" in text
    assert "git lfs pull --include a.bin" in text


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.pkl", hostile.payload(), "Do not load it"),
        ("a.txt", hostile.KEY, "revoke it"),
        ("a.png", hostile.PLAIN, "the ending of its content"),
        ("a.bin", hostile.POINTER, "Fetch the file's content"),
        ("a.bin", b"\xff\0", "Convert it"),
    ],
)
def test_each_kind_of_trouble_has_its_remedy(name: str, content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    assert words in run(Inputs(tmp_path), Context()).text()


def test_hostile_names_reach_no_terminal_raw(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(hostile.zipped({"\x1b[31m\nred": hostile.payload()}))
    outputs = run(Inputs(tmp_path), Context())
    shown = outputs.text() + "".join(problem.message for problem in outputs.problems())
    assert "\x1b" not in shown
    assert "\\x1b[31m\\nred" in shown
    assert outputs.data()["files"][0]["findings"][0]["member"] == "\x1b[31m\nred"


def test_progress_names_every_file(model: Path) -> None:
    said: list[str] = []
    scan_model(model, say=said.append)
    assert said == ["scanning 1 of 2: config.json", "scanning 2 of 2: sub/plain.pkl"]


def review(tmp_path: Path) -> Path:
    """Return a model that only a waiver can let pass."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "mystery.dat").write_bytes(bytes(range(256)))
    return folder


def waive(folder: Path, file: Path) -> None:
    digest = hashlib.sha256((folder / "mystery.dat").read_bytes()).hexdigest()
    file.write_text(
        f"version: 1\nscan:\n  waivers:\n    - {{rule: unscanned, sha256: {digest}, reason: r, owner: o, expires: 2999-01-01}}\n"
    )


def test_a_policy_beside_the_model_counts_and_one_inside_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = review(tmp_path)
    said: list[str] = []
    monkeypatch.chdir(tmp_path)
    assert not run(Inputs(folder), Context()).passed
    waive(folder, tmp_path / "weighlock.yml")
    assert run(Inputs(folder), Context()).passed
    (tmp_path / "weighlock.yml").rename(folder / "weighlock.yml")
    monkeypatch.chdir(folder)
    assert not run(Inputs(Path()), Context(say=said.append)).passed
    assert any("lies in the model and is not read" in words for words in said)
    assert run(Inputs(Path(), config=Path("weighlock.yml")), Context()).passed


def test_the_words_show_the_line_that_would_let_a_file_pass(tmp_path: Path) -> None:
    outputs = run(Inputs(review(tmp_path)), Context())
    assert "rule: unscanned" in outputs.text()
    assert "under scan.waivers" in outputs.text()


def test_a_policy_names_what_a_pickle_may_use(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "m.pkl").write_bytes(hostile.named("acme.models", "Churn"))
    assert run(Inputs(folder), Context()).verdict == "review"
    config = tmp_path / "policy.yml"
    config.write_text("version: 1\nscan: {globals: [acme.models.Churn]}\n")
    assert run(Inputs(folder, config=config), Context()).verdict == "safe"
    config.write_text("version: 1\nscan: {profiles: [acme]}\n")
    with pytest.raises(InputError, match="no profile 'acme'"):
        run(Inputs(folder, config=config), Context())


def test_a_profile_can_be_taken_away(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "m.pkl").write_bytes(hostile.named("torch", "device"))
    config = tmp_path / "policy.yml"
    config.write_text("version: 1\nscan: {profiles: [python]}\n")
    assert run(Inputs(folder), Context()).verdict == "safe"
    assert run(Inputs(folder, config=config), Context()).verdict == "review"
