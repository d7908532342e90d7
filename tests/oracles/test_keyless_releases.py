"""Who verifies a keyless release: ours and four others over the same releases, right ones and forged ones.

A right one has to pass with everybody who can read it. A wrong one has to fail with ours; `TAKEN` names who else takes it
for a right one, and so what their users have to check themselves.
"""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fake_registry import fake_registry
from forged_releases import Evidence, ForgedRelease, Piece
from local_sigstore import Claims, LocalSigstore, github, identity, write
from oracles.verifiers import NAMES, Question, Verifiers
from verdicts import PROPERTY
from weighlock.stages import Context, release

Json = dict[str, Any]
Answer = Callable[[str, str], "str | None"]
BUILDER = "acme/builder/.github/workflows/publish-model.yml@refs/tags/v2.0.0"


@dataclass(frozen=True)
class Case:
    """How a release is forged: who signs, how, and what is changed in every piece of it."""

    claims: Claims = field(default_factory=github)
    how: Json = field(default_factory=dict)
    change: Callable[[dict[str, Piece]], object] = lambda _: None
    spoil: Callable[[Json, Json], object] = lambda bundle, other: None
    """Takes a bundle, and another that is right."""
    released: int = 0
    """The log's version, where nothing is forged and our own command releases."""
    pinned: Claims = field(default_factory=github)


RIGHT = {
    "released, Rekor v1": Case(released=1),
    "released, Rekor v2": Case(released=2),
    "released by a builder": Case(
        github(job_workflow_ref=BUILDER), pinned=github(job_workflow_ref=BUILDER), released=2
    ),
    "Rekor v1, no timestamp": Case(how={"rekor": 1, "tsa": False}),
    "a branch": Case(github(ref="refs/heads/main"), pinned=github(ref="refs/heads/main")),
    "years ago": Case(how={"at": dt.datetime.now(dt.timezone.utc) - dt.timedelta(days=800)}),
}


def each(pieces: dict[str, Piece], change: Callable[[Json], object]) -> None:
    for piece in pieces.values():
        change(piece.statement)


def tampered(bundle: Json, other: Json) -> None:
    envelope = bundle["dsseEnvelope"]
    payload = base64.b64decode(envelope["payload"]).replace(b'"predicateType":"', b'"predicateType": "')
    envelope["payload"] = base64.b64encode(payload).decode()


def without_entry(bundle: Json, other: Json) -> None:
    bundle["verificationMaterial"]["tlogEntries"] = []


def without_time(bundle: Json, other: Json) -> None:
    del bundle["verificationMaterial"]["timestampVerificationData"]


def other_root(bundle: Json, other: Json) -> None:
    bundle["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]["rootHash"] = base64.b64encode(
        bytes(32)
    ).decode()


def two_entries(bundle: Json, other: Json) -> None:
    bundle["verificationMaterial"]["tlogEntries"] *= 2


def entry_of_another(bundle: Json, other: Json) -> None:
    bundle["verificationMaterial"]["tlogEntries"] = other["verificationMaterial"]["tlogEntries"]


def fail(pieces: dict[str, Piece]) -> None:
    pieces["scan"].statement["predicate"]["result"] = "FAILED"
    pieces["scan"].statement["predicate"]["passedTests"] = []


WRONG = {
    "the payload was changed": Case(spoil=tampered),
    "no log entry": Case(spoil=without_entry),
    "no time": Case(spoil=without_time),
    "a proof of another tree": Case(spoil=other_root),
    "two log entries": Case(spoil=two_entries),
    "the log entry of another bundle": Case(spoil=entry_of_another),
    "another authority": Case(how={"authority": LocalSigstore().authority}),
    "no promise of the CT log": Case(how={"sct": False}),
    "the certificate had run out": Case(how={"issued": dt.datetime.now(dt.timezone.utc) - dt.timedelta(minutes=11)}),
    "another workflow": Case(github(workflow=".github/workflows/test.yml")),
    "another branch": Case(github(ref="refs/heads/evil")),
    "another repository": Case(github("evil/models")),
    "the builder, called by another repository": Case(
        github("evil/models", job_workflow_ref=BUILDER), pinned=github(job_workflow_ref=BUILDER)
    ),
    "another issuer": Case(github(iss="https://evil.example")),
    "another kind of payload": Case(how={"payload_type": "application/json"}),
    "a field too many": Case(change=lambda pieces: each(pieces, lambda said: said.update(extra=True))),
    "about another digest": Case(
        change=lambda pieces: each(pieces, lambda said: said["subject"][0].update(digest={"sha256": "0" * 64}))
    ),
    "a failed scan": Case(change=fail),
    "no scan": Case(change=lambda pieces: pieces.pop("scan")),
}
GH = {"gh, referrers tag", "gh, referrers API"}
TAKEN: dict[str, set[str]] = {
    # They compute the root from the proof and compare it with the checkpoint that the log signed, which is right too.
    "a proof of another tree": GH | {"@sigstore/verify"},
    # gh asks for a promise of the public Sigstore only.
    "no promise of the CT log": GH,
    # They are told one name, and the builder's name is the same whoever calls it.
    "the builder, called by another repository": {"@sigstore/verify", "model_signing"},
    # This library leaves the payload to its caller, and model_signing reads the model signature only.
    "another kind of payload": {"@sigstore/verify"},
    "a field too many": {"@sigstore/verify", "model_signing"},
    "about another digest": {"@sigstore/verify"},
    # Signatures are right; what they say has to be asked for.
    "a failed scan": GH | {"@sigstore/verify", "model_signing"},
    "no scan": GH | {"@sigstore/verify", "model_signing"},
}


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    return Evidence.make(tmp_path_factory.mktemp("evidence"))


@pytest.fixture(scope="module")
def verifiers(
    tmp_path_factory: pytest.TempPathFactory, sigstore: LocalSigstore, oracle: Callable[[str], str]
) -> Verifiers:
    return Verifiers.make(tmp_path_factory.mktemp("verifiers"), sigstore, oracle)


@pytest.fixture(scope="module")
def answer(
    sigstore: LocalSigstore,
    evidence: Evidence,
    registry: str,
    verifiers: Verifiers,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Answer]:
    """Return a function from a case and a verifier to what it says; each is asked about all cases at once."""
    answers: dict[str, dict[str, str | None]] = {}
    with contextlib.ExitStack() as fakes:

        def api(*, there: bool) -> str:
            """Return a registry with the referrers API or without; it knows no repositories apart."""
            fake = fakes.enter_context(fake_registry())
            fake.referrers_api = there
            fake.page = 1000  # gh reads the first page only
            return fake.address

        folder = tmp_path_factory.mktemp("trust")
        asked = {}
        for name, case in (RIGHT | WRONG).items():
            addresses = (registry if name in RIGHT else api(there=False), api(there=True))
            asked[name] = question(case, sigstore, evidence, addresses, folder)

        def say(case: str, verifier: str) -> str | None:
            if verifier not in answers:
                given = NAMES[verifier](verifiers, list(asked.values()))
                answers[verifier] = dict(zip(asked, given, strict=True))
            return answers[verifier][case]

        yield say


def question(
    case: Case, sigstore: LocalSigstore, evidence: Evidence, addresses: Sequence[str], folder: Path
) -> Question:
    """Put the case's release into both registries."""
    places = [f"{address}/tests/{secrets.token_hex(8)}" for address in addresses]
    first, second = (ForgedRelease.make(sigstore, evidence, place) for place in places)
    if case.released:
        trust = write(sigstore, folder, rekor=[case.released])
        token = sigstore.token_file(folder / "token", case.claims)
        wanted = release.Inputs(evidence.model, f"{first.place}:v1", identity_token_file=token, trust_config=trust)
        assert release.run(wanted, Context(environ={})).digest == evidence.digest
    else:
        first.hang(*_pieces(first, case).values())
    hung = first.hung()
    second.hang_bundles(*hung)
    repository = case.pinned["repository"]
    bundles = [bundle for bundle, _ in hung]
    return Question(identity(case.pinned), repository, first.target, second.target, bundles, evidence.model)


def _pieces(forged: ForgedRelease, case: Case) -> dict[str, Piece]:
    pieces = forged.pieces(case.claims, **case.how)
    case.change(pieces)
    other = json.loads(forged.bundle(forged.pieces(case.claims, **case.how)["audit"]))
    for piece in pieces.values():
        piece.spoil = lambda bundle: case.spoil(bundle, other)
    return pieces


def matrix() -> list[str]:
    """Return the table of docs/verifiers.md, as the tests here prove it."""
    rows = [["", *NAMES], ["---"] * (len(NAMES) + 1)]
    rows += [[f"right: {case}", *(["yes"] * len(NAMES))] for case in RIGHT]
    for case in WRONG:
        taken = TAKEN.get(case, set())
        rows.append([f"forged: {case}", *("**yes**" if name in taken else "no" for name in NAMES)])
    return [f"| {' | '.join(row)} |" for row in rows]


def note(request: pytest.FixtureRequest, case: str, verifier: str, no: str | None) -> None:
    """Put the answer into the table at the end of the run."""
    request.node.user_properties.append((PROPERTY, [case, verifier, "no" if no else "yes"]))


@pytest.mark.parametrize("verifier", NAMES)
@pytest.mark.parametrize("case", RIGHT)
def test_everybody_accepts(request: pytest.FixtureRequest, answer: Answer, case: str, verifier: str) -> None:
    no = answer(case, verifier)
    note(request, case, verifier, no)
    assert no is None


@pytest.mark.parametrize("verifier", NAMES)
@pytest.mark.parametrize("case", WRONG)
def test_ours_refuses(request: pytest.FixtureRequest, answer: Answer, case: str, verifier: str) -> None:
    no = answer(case, verifier)
    note(request, f"({case})", verifier, no)
    assert (no is None) == (verifier in TAKEN.get(case, set()))


def test_the_documentation_has_this_table() -> None:
    document = (Path(__file__).parents[2] / "docs" / "verifiers.md").read_text()
    expected = "\n".join(matrix())
    assert expected in document, f"docs/verifiers.md: put this there\n{expected}"
