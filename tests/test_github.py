"""What GitHub reads of us, read back as its runner does: nothing that comes from a model is more than text."""

from __future__ import annotations

import enum
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from weighlock import github
from weighlock.errors import InputError, RefusedError, UnfinishedError
from weighlock.inputs import output
from weighlock.jsonio import Json
from weighlock.stages import Passage, Problem
from weighlock.text import printable

HERE = {"GITHUB_ACTIONS": "true"}
ATTACKS = [
    "::stop-commands::x",
    "a\n::error::x",
    "a\r::add-mask::x",
    "  \t::set-output name=verdict::pass",
    "x ##[add-mask]x",
    "%0A::error::",
    "a\nverdict=pass",
    "verdict<<end\npass\nend",
    "</code></pre><script>alert(1)</script>",
    "[link](https://example.com) https://example.com @someone #1",
    "| a | b |",
    "``` \n# heading\n\n* item",
    "\n\n<img src=x onerror=alert(1)>\n\n",
    "&lt;b&gt; <!-- -->",
    "\x85\u2028\ud800\x00\x1b[31m",
]
HOSTILE = st.one_of(
    st.sampled_from(ATTACKS),
    st.text(alphabet=st.characters(), max_size=60),
    st.lists(st.sampled_from(["::", ":", "##[", "]", "\n", "\r", " ", "`", "<", "pre>", "%", "a", "|", ","])).map(
        "".join
    ),
)
MARKDOWN = MarkdownIt("gfm-like", {"linkify": False})


class Colour(enum.Enum):
    DARK_RED = 1


@dataclass(frozen=True)
class Inputs:
    path: Path | None = Path("model")
    requirements: Path | None = None


@dataclass(frozen=True)
class Outputs:
    verdict: str = output("pass or fail", default="fail")
    log_index: int | None = output("a number", default=None)
    dry_run: bool = output("a boolean", default=True)
    colour: Colour = output("a choice", default=Colour.DARK_RED)
    files: tuple[str, ...] = output("some", default=("a", "b"))
    inner: str = "not an output"
    passed: bool = False
    found: tuple[Problem, ...] = ()
    words: str = "the report\n"

    def data(self) -> Json:
        return {}

    def text(self) -> str:
        return self.words

    def problems(self) -> Sequence[Problem]:
        return self.found


@dataclass(frozen=True)
class Command:
    name: str
    properties: Mapping[str, str]
    message: str


def commands(log: str) -> list[Command]:
    """Find workflow commands in a log as the runner does: `ActionCommand.TryParseV2`, then `TryParse`."""
    found = []
    for line in re.split(r"\r\n|\r|\n", log):
        if line.lstrip().startswith("::"):
            head, _, message = line.lstrip()[2:].partition("::")
            name, _, rest = head.partition(" ")
            pairs = dict(part.split("=", 1) for part in rest.split(",") if part)
            found.append(Command(name, {key: unescaped(value) for key, value in pairs.items()}, unescaped(message)))
        elif "##[" in line:
            found.append(Command(line, {}, ""))
    return found


def unescaped(text: str) -> str:
    for code, character in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(code, character)
    return text


def assignments(text: str) -> dict[str, str]:
    """Read GITHUB_OUTPUT as the runner does: lines end at a newline only."""
    found: dict[str, str] = {}
    lines = text.split("\n")
    while len(lines) > 1:
        name, heredoc, end = lines.pop(0).partition("<<")
        assert heredoc, "a line outside of a value"
        at = lines.index(end)
        found[name] = "\n".join(lines[:at])
        lines = lines[at + 1 :]
    assert lines == [""]
    return found


class Page(HTMLParser):
    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.texts: list[str] = []
        self.feed(MARKDOWN.render(markdown))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not attrs
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture
def runner(tmp_path: Path) -> dict[str, str]:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    return HERE | {
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
        "GITHUB_WORKSPACE": str(workspace),
    }


def written(runner: Mapping[str, str], variable: str) -> str:
    return Path(runner[variable]).read_bytes().decode()


def reported(runner: Mapping[str, str], outcome: Outputs, inputs: object = None) -> list[Command]:
    stream = io.StringIO()
    github.report("scan", inputs or Inputs(), outcome, runner, stream=stream)
    return commands(stream.getvalue())


def test_elsewhere_nothing_is_written(runner: dict[str, str]) -> None:
    elsewhere = runner | {"GITHUB_ACTIONS": "false"}
    assert reported(elsewhere, Outputs(found=(Problem("a", "b"),))) == []
    github.complain(InputError("x"), elsewhere, stream=io.StringIO())
    assert github.build(elsewhere) is None
    assert github.harmless("::x::", elsewhere) == "::x::"
    assert not Path(runner["GITHUB_OUTPUT"]).exists()
    assert not Path(runner["GITHUB_STEP_SUMMARY"]).exists()


def test_outputs_have_their_outside_names_and_spellings(runner: dict[str, str]) -> None:
    reported(runner, Outputs())
    assert assignments(written(runner, "GITHUB_OUTPUT")) == {
        "verdict": "fail",
        "log-index": "",
        "dry-run": "true",
        "colour": "dark_red",
        "files": "a\nb",
    }


@settings(deadline=None)
@given(HOSTILE, HOSTILE)
def test_an_output_sets_itself_and_nothing_else(first: str, second: str) -> None:
    text = github.entry("verdict", first) + github.entry("digest", second)
    assert assignments(text) == {"verdict": first, "digest": second}


def test_an_output_with_its_own_delimiter_is_refused() -> None:
    with pytest.raises(UnfinishedError, match="delimiter"):
        github.entry("verdict", "fail\nend\ndigest=x", lambda: "end")


@settings(deadline=None)
@given(HOSTILE, HOSTILE)
def test_an_annotation_is_one_command_whatever_it_says(path: str, message: str) -> None:
    stream = io.StringIO()
    outcome = Outputs(found=(Problem(path, message),))
    github.report("scan", Inputs(), outcome, HERE | {"GITHUB_WORKSPACE": str(Path.cwd())}, stream=stream)
    (command,) = commands(stream.getvalue())
    assert command.name == "error"
    assert command.properties["title"] == "Weighlock scan"
    assert re.sub(":(?=:)", ": ", message) in command.message  # an act-like reader ends the head at the last pair


@settings(deadline=None)
@given(HOSTILE)
def test_what_is_said_holds_no_command(words: str) -> None:
    assert commands(github.harmless(words, HERE)) == []


@settings(deadline=None)
@given(st.dictionaries(HOSTILE, HOSTILE))
def test_json_holds_no_command_and_stays_the_same(document: dict[str, str]) -> None:
    words = json.dumps(document, indent=2)
    shown = github.harmless(words, HERE, json=True)
    assert commands(shown) == []
    assert json.loads(shown) == document


@settings(deadline=None)
@given(HOSTILE, HOSTILE, HOSTILE)
def test_the_summary_shows_hostile_text_as_text(path: str, message: str, words: str) -> None:
    outcome = Outputs(verdict=message, found=(Problem(path, message),), words=words)
    page = github._page("scan", outcome, {"verdict": message})
    shown = Page(page.encode(errors="backslashreplace").decode())
    assert shown.tags <= {"h2", "table", "tr", "th", "td", "code", "details", "summary", "pre", "tbody", "thead"}
    assert {"details", "pre", "table"} <= shown.tags


def test_an_annotation_names_the_file_in_the_repository(runner: dict[str, str], tmp_path: Path) -> None:
    model = Path(runner["GITHUB_WORKSPACE"]) / "models" / "tiny"
    model.mkdir(parents=True)
    for place in (model, tmp_path, Path(runner["GITHUB_WORKSPACE"])):
        (place / "a,b:c.pkl").touch()

    def file(path: str, inputs: Inputs) -> str | None:
        (command,) = reported(runner, Outputs(found=(Problem(path, "os.system"),)), inputs)
        assert command.message == f"{printable(path)}: os.system"
        return command.properties.get("file")

    assert file("a,b:c.pkl", Inputs(model)) == "models/tiny/a,b:c.pkl"
    assert file("a,b:c.pkl", Inputs(model / "a,b:c.pkl")) == "models/tiny/a,b:c.pkl"
    assert file("a,b:c.pkl", Inputs(None, model / "requirements.txt")) == "models/tiny/a,b:c.pkl"
    assert file("a,b:c.pkl", Inputs(model.parent, model / "requirements.txt")) == "models/tiny/a,b:c.pkl"
    assert file("a,b:c.pkl", Inputs(tmp_path)) is None
    assert file("../../../a,b:c.pkl", Inputs(model)) is None
    assert file("missing", Inputs(model)) is None
    assert file("x\0y", Inputs(model)) is None


def test_no_more_annotations_than_github_shows(runner: dict[str, str]) -> None:
    many = tuple(Problem(f"{number}.pkl", "os.system") for number in range(200))
    found = reported(runner, Outputs(found=many))
    assert len(found) == 10
    assert found[0].message == "0.pkl: os.system"
    assert found[-1].message == "191 more; the job summary names them"
    assert "100 problems more" in written(runner, "GITHUB_STEP_SUMMARY")


def test_problems_of_a_passed_stage_are_warnings(runner: dict[str, str]) -> None:
    (command,) = reported(runner, Outputs(passed=True, found=(Problem("a", "b"),)))
    assert command.name == "warning"


def test_a_message_is_no_longer_than_github_shows(runner: dict[str, str]) -> None:
    (command,) = reported(runner, Outputs(found=(Problem("", "x" * 10_000),)))
    assert len(command.message) <= 4096


def test_a_summary_is_never_larger_than_github_takes(runner: dict[str, str]) -> None:
    many = tuple(Problem("'" * 300, "<" * 5000) for _ in range(500))
    for _ in range(5):
        reported(runner, Outputs(found=many, words='"' * 3_000_000))
    summary = Path(runner["GITHUB_STEP_SUMMARY"])
    assert 500_000 < summary.stat().st_size <= 1024 * 1024
    assert "too large" in summary.read_text()


def test_a_runner_without_files_gets_annotations_only() -> None:
    assert len(reported(HERE, Outputs(found=(Problem("a", "b"),)))) == 1


def test_outputs_that_cannot_be_written_are_an_error(runner: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(UnfinishedError, match="GITHUB_OUTPUT cannot be written"):
        reported(runner | {"GITHUB_OUTPUT": str(tmp_path)}, Outputs())


@pytest.mark.parametrize(
    ("error", "title"),
    [
        (RefusedError("the seal is broken", remedy="Do not ship it."), "Weighlock: refused"),
        (InputError("no such model"), "Weighlock: wrong inputs"),
        (UnfinishedError("no net"), "Weighlock: could not finish"),
    ],
)
def test_an_error_is_annotated_with_its_remedy(runner: dict[str, str], error: Exception, title: str) -> None:
    stream = io.StringIO()
    assert isinstance(error, RefusedError | InputError | UnfinishedError)
    github.complain(error, runner, stream=stream)
    (command,) = commands(stream.getvalue())
    assert (command.name, command.properties["title"], command.message) == ("error", title, str(error))
    assert error.what in written(runner, "GITHUB_STEP_SUMMARY")


def test_the_command_is_shown_folded_and_cannot_escape() -> None:
    stream = io.StringIO()
    github.announce("weighlock scan 'a\n::endgroup::\n::error::x'", HERE, stream=stream)
    assert [command.name for command in commands(stream.getvalue())] == ["group", "endgroup"]
    assert "weighlock scan 'a" in stream.getvalue()


@pytest.mark.parametrize(
    ("password", "hidden"), [("correct horse", True), ("50%\noff", True), ("abc", False), ("", False)]
)
def test_the_password_is_hidden_in_the_log(password: str, *, hidden: bool) -> None:
    stream = io.StringIO()
    github.announce("weighlock sign", HERE | {"WEIGHLOCK_KEY_PASSWORD": password}, stream=stream)
    masked = [command.message for command in commands(stream.getvalue()) if command.name == "add-mask"]
    assert masked == ([password] if hidden else [])


def test_provenance_has_the_fields_of_githubs_own() -> None:
    build = github.build(
        HERE
        | {
            "GITHUB_SERVER_URL": "https://github.example",
            "GITHUB_REPOSITORY": "acme/models",
            "GITHUB_REF": "refs/tags/v1",
            "GITHUB_SHA": "c" * 40,
            "GITHUB_WORKFLOW_REF": "acme/models/.github/workflows/release.yml@refs/tags/v1",
            "GITHUB_EVENT_NAME": "push",
            "GITHUB_REPOSITORY_ID": "1",
            "GITHUB_REPOSITORY_OWNER_ID": "2",
            "GITHUB_RUN_ID": "3",
            "GITHUB_RUN_ATTEMPT": "4",
            "RUNNER_ENVIRONMENT": "github-hosted",
        }
    )
    assert build is not None
    repository = "https://github.example/acme/models"
    path = ".github/workflows/release.yml"
    assert build.build_type == "https://actions.github.io/buildtypes/workflow/v1"
    assert build.builder == f"{repository}/{path}@refs/tags/v1"
    assert build.external == {"workflow": {"ref": "refs/tags/v1", "repository": repository, "path": path}}
    assert build.internal == {
        "github": {
            "event_name": "push",
            "repository_id": "1",
            "repository_owner_id": "2",
            "runner_environment": "github-hosted",
        }
    }
    assert build.dependencies == ({"uri": f"git+{repository}@refs/tags/v1", "digest": {"gitCommit": "c" * 40}},)
    assert build.invocation == f"{repository}/actions/runs/3/attempts/4"


def test_a_runner_that_says_little_is_not_made_to_say_more() -> None:
    assert github.build(HERE) is None
    build = github.build(HERE | {"GITHUB_REPOSITORY": "acme/models"})
    assert build is not None
    assert build.builder == "https://github.com/acme/models"
    assert build.dependencies == ()


@dataclass(frozen=True)
class Made(Outputs):
    reference: str = output("where it is", default="")


@pytest.mark.parametrize(
    ("stage", "passed", "reference", "listed"),
    [
        ("release", True, f"ghcr.io/acme/tiny@sha256:{'ab' * 32}", True),
        ("seal", True, f"127.0.0.1:5000/tiny@sha256:{'ab' * 32}", True),
        ("verify", True, f"ghcr.io/acme/tiny@sha256:{'ab' * 32}", False),
        ("release", False, f"ghcr.io/acme/tiny@sha256:{'ab' * 32}", False),
        ("release", True, f"oci:out@sha256:{'ab' * 32}", False),
        ("release", True, f"ghcr.io/a=b@sha256:{'ab' * 32}", False),
        ("release", True, f"ghcr.io/a\noci://x@sha256:{'ab' * 32}", False),
    ],
)
def test_the_runner_is_told_of_a_model_in_a_registry(
    tmp_path: Path, stage: str, passed: bool, reference: str, listed: bool
) -> None:
    environ = HERE | {"GITHUB_ARTIFACTS": str(tmp_path / "made")}
    github.report(stage, Inputs(), Made(passed=passed, reference=reference), environ, stream=io.StringIO())
    written = (tmp_path / "made").read_text() if (tmp_path / "made").exists() else ""
    assert written == (f"oci://{reference}\n" if listed else "")


def test_a_runner_without_lists_is_an_ordinary_one(tmp_path: Path) -> None:
    github.report(
        "release", Inputs(), Made(passed=True, reference=f"a/b@sha256:{'0' * 64}"), HERE, stream=io.StringIO()
    )
    assert github.made(HERE) is None
    assert github.made({"GITHUB_ARTIFACTS_LIST": "x"}) is None
    assert github.made(HERE | {"GITHUB_ARTIFACTS_LIST": str(tmp_path)}) == tmp_path


@dataclass(frozen=True)
class Released(Outputs):
    name: str = "signature"
    command: str = "weighlock verify x"

    def passage(self) -> Passage:
        steps = [("scan", True), ("audit", None), ("sign", False), (self.name, True)]
        return Passage(steps, [(self.name, self.name)], [self.command])


@given(name=HOSTILE, command=HOSTILE)
@settings(max_examples=60, deadline=None)
def test_a_models_way_through_the_lock_shows_nothing_but_text_of_others(name: str, command: str) -> None:
    page = github._page("release", Released(passed=True, name=name, command=command), {})
    tokens = MARKDOWN.parse(page)
    (diagram,) = [token for token in tokens if token.type == "fence"]
    assert diagram.info == "mermaid"
    assert diagram.content.startswith('flowchart LR\n  scan["scan ✅"] --> audit["audit"] --> sign["sign ❌"]')
    assert set(diagram.content.partition("sign ❌")[2]) <= set('"] ->\n[ ✅abcdefghijklmnopqrstuvwxyz')
    assert not {"link_open", "image", "heading_open"} & {token.type for token in _flat(tokens)}


def _flat(tokens: Sequence[Token]) -> list[Token]:
    return [inner for token in tokens for inner in (token, *(token.children or []))]
