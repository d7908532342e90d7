"""Release without a key, from a folder to a tag, against a local Sigstore: what it asks, what it leaves, what it prints."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import tools
from commands import SCRIPTS, Done, weighlock
from local_sigstore import (
    FULCIO,
    GITHUB_ISSUER,
    REKOR_2,
    TOKEN,
    TSA,
    Fault,
    LocalSigstore,
    github,
    identity,
    person,
    write,
)
from weighlock import oms
from weighlock.errors import InputError, WeighlockError
from weighlock.predicates import PROVENANCE, SIGNATURE, TEST_RESULT
from weighlock.stages import Context
from weighlock.stages.release import Inputs, run
from weighlock.stages.verify import Inputs as VerifyInputs
from weighlock.stages.verify import run as verify

EVIDENCE = {SIGNATURE, oms.PREDICATE_TYPE, PROVENANCE, TEST_RESULT}


@pytest.fixture
def sigstore(sigstore_that: LocalSigstore) -> LocalSigstore:
    """Return one that the test may break."""
    return sigstore_that


@pytest.fixture(params=["layout", "registry"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"oci:{tmp_path}/out" if request.param == "layout" else str(request.getfixturevalue("fresh_repository")())


def released(sigstore: LocalSigstore, model: Path, folder: Path, to: str, **environ: str) -> Done:
    """Release in a job of GitHub, as its action does."""
    config = write(sigstore, folder)
    job = {**sigstore.job(github()), "WEIGHLOCK_TRUST_CONFIG": str(config)}
    return weighlock("release", model, "--to", to, "--json", "--sigstore-timeout", "20", **job | environ)


def passes(folder: Path, target: str) -> bool:
    pinned = {"issuer": GITHUB_ISSUER, "source": "acme/models", "trust_config": folder / "trusted_root.json"}
    return verify(VerifyInputs(target, **pinned), Context()).passed  # type: ignore[arg-type]


def test_a_job_releases_by_its_own_identity(sigstore: LocalSigstore, model: Path, tmp_path: Path, place: str) -> None:
    done = released(sigstore, model, tmp_path, f"{place}:v1")
    assert done.code == 0, done.err
    assert {item["predicateType"] for item in done.json["evidence"]} == EVIDENCE
    assert sigstore.count(FULCIO) == 1
    assert passes(tmp_path, f"{place}:v1")


def test_a_person_releases_by_a_token(sigstore: LocalSigstore, model: Path, tmp_path: Path) -> None:
    token = sigstore.token_file(tmp_path / "token", person())
    words = ("--identity-token-file", token, "--trust-config", write(sigstore, tmp_path))
    done = weighlock("release", model, "--to", f"oci:{tmp_path}/out:v1", "--json", *words)
    assert done.code == 0, done.err
    assert "ada@example.com" in done.json["commands"]["weighlock"]
    assert typed(done.json["commands"]["weighlock"], tmp_path).returncode == 0
    assert not passes(tmp_path, f"oci:{tmp_path}/out:v1")


def test_a_rerun_signs_nothing_again_and_adds_what_is_missing(
    sigstore: LocalSigstore, model: Path, tmp_path: Path, place: str
) -> None:
    first = released(sigstore, model, tmp_path, f"{place}:v1").json
    logged = sigstore.count(REKOR_2)
    second = released(sigstore, model, tmp_path, f"{place}:v1")
    assert second.json["evidence"] == first["evidence"]
    assert sigstore.count(REKOR_2) == logged, "nothing was signed"
    if place.startswith("oci:"):
        index = Path(place.removeprefix("oci:")) / "index.json"
        document = json.loads(index.read_text())
        lost = first["evidence"][-1]["digest"]
        document["manifests"] = [entry for entry in document["manifests"] if entry["digest"] != lost]
        index.write_text(json.dumps(document))
        third = released(sigstore, model, tmp_path, f"{place}:v1")
        assert {item["predicateType"] for item in third.json["evidence"]} == EVIDENCE
        assert sigstore.count(REKOR_2) == logged + 1


def test_attest_and_sign_take_the_same_identity(sigstore: LocalSigstore, model: Path, tmp_path: Path) -> None:
    place = f"oci:{tmp_path}/out"
    target = f"{place}@{released(sigstore, model, tmp_path, f'{place}:v1').json['digest']}"
    token = sigstore.token_file(tmp_path / "token", github())
    words = ("--identity-token-file", token, "--trust-config", tmp_path / "client_trust_config.json")
    (tmp_path / "note.json").write_text('{"note": 1}')
    kind = ("--predicate-type", "https://example.org/note", "--predicate", tmp_path / "note.json")
    assert "attached https://example.org/note" in weighlock("attest", target, *kind, *words).out
    assert "nothing to do" in weighlock("sign", target, *words).out


def test_inspect_shows_who_says_to_have_signed_and_believes_nobody(
    sigstore: LocalSigstore, model: Path, tmp_path: Path
) -> None:
    target = f"oci:{tmp_path}/out:v1"
    released(sigstore, model, tmp_path, target)
    shown = weighlock("inspect", target).out
    assert shown.count(f"says {identity(github())} by {GITHUB_ISSUER}, not verified") == 4
    claims = [item["claimed"] for item in weighlock("inspect", target, "--json").json["referrers"]]
    assert {(claim["source"], claim["runner"]) for claim in claims} == {
        ("https://github.com/acme/models", "github-hosted")
    }
    pinned = ("--issuer", GITHUB_ISSUER, "--source", "acme/models", "--trust-config", tmp_path / "trusted_root.json")
    assert weighlock("inspect", target, *pinned).out.count("signed by the pinned identity") == 4


# The commands that it prints


def typed(command: str, folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Paste a command into a shell, as it was printed."""
    (folder / "bin").mkdir(exist_ok=True)
    program = folder / "bin" / "weighlock"
    program.write_text(f'#!/bin/sh\nPYTHONPATH={SCRIPTS} exec {sys.executable} -m weighlock "$@"\n')
    program.chmod(0o755)
    clean = {"PATH": f"{folder}/bin:{os.environ['PATH']}", "HOME": str(folder), **environ}
    return subprocess.run(["bash", "-c", command], env=clean, capture_output=True, text=True, check=False, timeout=60)


def test_its_command_for_weighlock_verifies_the_release(
    sigstore: LocalSigstore, model: Path, tmp_path: Path, place: str
) -> None:
    command = released(sigstore, model, tmp_path, f"{place}:v1").json["commands"]["weighlock"]
    done = typed(command, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "PASS" in done.stdout
    assert identity(github()) in done.stdout
    other = typed(command.replace("release.yml", "other.yml"), tmp_path)
    assert other.returncode == 1


def test_its_command_for_gh_verifies_the_release(
    sigstore: LocalSigstore, model: Path, tmp_path: Path, fresh_repository: Callable[[], str]
) -> None:
    tools.require("gh", "jq")
    done = released(sigstore, model, tmp_path, f"{fresh_repository()}:v1").json
    assert set(done["commands"]) == {"weighlock", "gh", "cosign"}
    environ = {"GH_TOKEN": "none", "GH_NO_UPDATE_NOTIFIER": "1", "GH_PROMPT_DISABLED": "1"}
    accepted = typed(done["commands"]["gh"], tmp_path, **environ)
    assert accepted.returncode == 0, accepted.stderr
    refused = typed(done["commands"]["gh"].replace("release.yml", "other.yml"), tmp_path, **environ)
    assert refused.returncode == 1


def test_a_layout_is_not_for_gh_and_cosign(sigstore: LocalSigstore, model: Path, tmp_path: Path) -> None:
    done = released(sigstore, model, tmp_path, f"oci:{tmp_path}/out:v1")
    assert set(done.json["commands"]) == {"weighlock"}


def test_the_command_of_a_release_with_a_key_verifies_it(model: Path, tmp_path: Path) -> None:
    assert weighlock("keygen", tmp_path / "k").code == 0
    to = f"oci:{tmp_path}/out:v1"
    done = weighlock("release", model, "--to", to, "--key", tmp_path / "k.key", "--json").json
    assert typed(done["commands"]["weighlock"], tmp_path).returncode == 0


def test_a_key_does_without_sigstores_client(model: Path, tmp_path: Path) -> None:
    assert weighlock("keygen", tmp_path / "k").code == 0
    to = f"oci:{tmp_path}/out:v1"
    commands: list[list[str | Path]] = [
        ["release", model, "--to", to, "--key", tmp_path / "k.key"],
        ["verify", to, "--key", tmp_path / "k.pub"],
    ]
    for words in commands:
        done = weighlock(*words, PYTHONPROFILEIMPORTTIME="1")
        assert done.code == 0
        assert "cryptography" in done.err
        assert "sigstore" not in done.err, "it takes a third of a second"


# Faults: after each, the target has no tag without complete evidence


def hang() -> None:
    time.sleep(8)


FAULTS = {
    "fulcio-503": Fault(FULCIO, 503),
    "fulcio-400": Fault(FULCIO, 400),
    "rekor-502": Fault(REKOR_2, 502),
    "rekor-400": Fault(REKOR_2, 400),
    "rekor-conflict": Fault(REKOR_2, 409),
    "rekor-hangs": Fault(REKOR_2, before=hang),
    "tsa-down": Fault(TSA, 500),
    "token-service-down": Fault(TOKEN, 500),
}


def attempt(sigstore: LocalSigstore, model: Path, folder: Path, limit: int = 1) -> WeighlockError | None:
    """Release in this process by a token file, and return how it failed."""
    token = sigstore.token_file(folder / "token", github())
    try:
        run(
            Inputs(
                model,
                f"oci:{folder}/out:v1",
                identity_token_file=token,
                trust_config=write(sigstore, folder),
                sigstore_timeout=limit,
            ),
            Context(),
        )
    except WeighlockError as error:
        return error
    return None


def tags(folder: Path) -> list[str]:
    """Return the tags in the layout, read without our own code."""
    path = folder / "out" / "index.json"
    manifests = json.loads(path.read_text())["manifests"] if path.exists() else []
    name = "org.opencontainers.image.ref.name"
    return [entry["annotations"][name] for entry in manifests if name in entry.get("annotations", {})]


@pytest.mark.parametrize("name", [name for name in FAULTS if not name.startswith("token")])
def test_a_service_that_fails_leaves_no_tag_and_a_rerun_finishes(
    sigstore: LocalSigstore, model: Path, tmp_path: Path, name: str
) -> None:
    fault = FAULTS[name]
    sigstore.faults.append(Fault(fault.path, fault.status, fault.before))
    error = attempt(sigstore, model, tmp_path)
    assert error is not None
    assert error.exit_code == 3
    assert fault.status is None or f"{fault.status}: injected" in error.what
    assert tags(tmp_path) == []
    sigstore.faults.clear()
    assert attempt(sigstore, model, tmp_path, limit=20) is None
    assert tags(tmp_path) == ["v1"]
    assert passes(tmp_path, f"oci:{tmp_path}/out:v1")


def test_a_token_service_that_fails_is_explained_before_the_work(
    sigstore: LocalSigstore, model: Path, tmp_path: Path
) -> None:
    sigstore.faults.append(Fault(TOKEN, 500))
    config = write(sigstore, tmp_path)
    words = ("release", model, "--to", f"oci:{tmp_path}/out:v1", "--trust-config", config, "--sigstore-timeout", "1")
    done = weighlock(*words, **sigstore.job(github()))
    assert done.code == 3
    assert "identity token" in done.err
    assert "scanning" not in done.err
    assert tags(tmp_path) == []


def test_a_certificate_that_runs_out_in_mid_release_is_renewed(
    sigstore: LocalSigstore, model: Path, tmp_path: Path
) -> None:
    sigstore.cert_minutes = 60.2 / 60  # too short by the time that the first statement is signed
    sigstore.faults.append(Fault(REKOR_2, 500, before=lambda: time.sleep(0.5), times=4))
    assert attempt(sigstore, model, tmp_path, limit=20) is None
    assert sigstore.count(FULCIO) > 1
    assert passes(tmp_path, f"oci:{tmp_path}/out:v1")


@pytest.mark.parametrize("renewed", [True, False])
def test_a_token_that_runs_out_during_the_work_is_read_again(
    sigstore: LocalSigstore, model: Path, tmp_path: Path, *, renewed: bool
) -> None:
    ends = time.time() + 5
    token = tmp_path / "token"
    token.write_text(sigstore.issuer.token(github(), now=ends - 300))

    def outlast(words: str) -> None:
        if words.startswith("stored the manifest"):
            time.sleep(max(0, ends + 1 - time.time()))
            if renewed:
                sigstore.token_file(token, github())

    config = write(sigstore, tmp_path)
    inputs = Inputs(model, f"oci:{tmp_path}/out:v1", identity_token_file=token, trust_config=config)
    if renewed:
        assert run(inputs, Context(say=outlast)).passed
        assert passes(tmp_path, f"oci:{tmp_path}/out:v1")
        return
    with pytest.raises(InputError, match="not valid any more"):
        run(inputs, Context(say=outlast))
    assert tags(tmp_path) == []


@pytest.mark.parametrize(("offset", "words"), [(60, r"(59|6\d) s behind"), (-600, r"(599|6\d\d) s ahead")])
def test_a_clock_that_is_wrong_is_said_to_be_and_nothing_is_written(
    sigstore: LocalSigstore, model: Path, tmp_path: Path, offset: float, words: str
) -> None:
    sigstore.offset = offset
    error = attempt(sigstore, model, tmp_path)
    assert error is not None
    assert re.search(words, error.remedy)
    assert not (tmp_path / "out").exists()


# Who gets no identity


def event(folder: Path, head: str | None) -> dict[str, str]:
    """Return the variables of a job for a pull request whose branch is in the repository `head`."""
    repository = None if head is None else {"full_name": head, "fork": head != "acme/models"}
    pull = {"head": {"repo": repository}, "base": {"repo": {"full_name": "acme/models"}}}
    (folder / "event.json").write_text(json.dumps({"pull_request": pull}))
    return {
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": "pull_request",
        "GITHUB_EVENT_PATH": str(folder / "event.json"),
    }


@pytest.mark.parametrize("head", ["eve/models", None], ids=["fork", "deleted fork"])
def test_a_pull_request_from_a_fork_is_rehearsed(model: Path, tmp_path: Path, head: str | None) -> None:
    done = weighlock("release", model, "--to", f"oci:{tmp_path}/out:v1", "--json", **event(tmp_path, head))
    assert done.code == 0, done.err
    assert "from a fork" in done.json["notice"]
    assert "from a fork" in done.err
    assert (done.json["tag"], done.json["evidence"]) == (None, [])
    assert done.json["digest"].startswith("sha256:")
    assert not (tmp_path / "out").exists()


def test_a_fork_that_may_ask_for_a_token_is_rehearsed_all_the_same(
    sigstore: LocalSigstore, model: Path, tmp_path: Path
) -> None:
    done = released(sigstore, model, tmp_path, f"oci:{tmp_path}/out:v1", **event(tmp_path, "eve/models"))
    assert done.code == 0, done.err
    assert "from a fork" in done.json["notice"]
    assert sigstore.calls == []


def test_a_rehearsal_touches_no_registry(model: Path, tmp_path: Path) -> None:
    done = weighlock("release", model, "--to", "127.0.0.1:9/acme/m:v1", "--json", **event(tmp_path, "eve/models"))
    assert done.code == 0, done.err


def test_a_rehearsal_still_says_no(model: Path, tmp_path: Path) -> None:
    (model / "mystery").write_bytes(bytes(range(256)))
    assert weighlock("release", model, "--to", f"oci:{tmp_path}/out:v1", **event(tmp_path, "eve/models")).code == 1


def test_dependabots_pull_requests_are_rehearsed_too(model: Path, tmp_path: Path) -> None:
    environ = event(tmp_path, "acme/models") | {"GITHUB_ACTOR": "dependabot[bot]"}
    done = weighlock("release", model, "--to", f"oci:{tmp_path}/out:v1", **environ)
    assert done.code == 0
    assert "Dependabot" in done.out


@pytest.mark.parametrize("kind", ["push", "pull_request"])
def test_a_job_that_lacks_the_permission_is_told_the_line(model: Path, tmp_path: Path, kind: str) -> None:
    environ = event(tmp_path, "acme/models") | {"GITHUB_EVENT_NAME": kind}
    done = weighlock("release", model, "--to", f"oci:{tmp_path}/out:v1", **environ)
    assert done.code == 2
    assert "id-token: write" in done.err
    assert "scanning" not in done.err


def test_a_fork_never_gets_another_identity(model: Path, tmp_path: Path) -> None:
    words = ("--to", f"oci:{tmp_path}/out:v1", "--key", tmp_path / "no.key")
    assert weighlock("release", model, *words, **event(tmp_path, "eve/models")).code == 2
    for stage in ("sign", "attest"):
        more = ("--predicate-type", "https://example.org/p", "--predicate", "p") if stage == "attest" else ()
        done = weighlock(stage, f"oci:{tmp_path}/out:v1", *more, **event(tmp_path, "eve/models"))
        assert done.code == 2
        assert "from a fork" in done.err


def test_a_dry_run_needs_no_identity(model: Path, tmp_path: Path) -> None:
    done = weighlock("release", model, "--to", f"oci:{tmp_path}/out:v1", "--dry-run")
    assert done.code == 0, done.err
    assert "nothing was written" in done.out


def test_a_private_repository_is_not_released_to_the_public_log(
    sigstore: LocalSigstore, model: Path, tmp_path: Path
) -> None:
    job = sigstore.job(github(repository_visibility="private"))
    done = weighlock("release", model, "--to", f"oci:{tmp_path}/out:v1", **job)
    assert done.code == 2
    assert "allow-public-log" in done.err
    assert not (tmp_path / "out").exists()


def test_doctor_says_which_line_lacks(sigstore: LocalSigstore, tmp_path: Path) -> None:
    def ability(**environ: str) -> dict[str, str]:
        abilities = weighlock("doctor", "--json", **environ).json["abilities"]
        return next(item for item in abilities if item["name"] == "identity")

    assert ability(**sigstore.job(github()))["ok"]
    assert "id-token: write" in ability(GITHUB_ACTIONS="true")["remedy"]
    assert "from a fork" in ability(**event(tmp_path, "eve/models"))["detail"]
    assert "SIGSTORE_ID_TOKEN" in ability(GITLAB_CI="true")["remedy"]
    assert "--key" in ability()["remedy"]
