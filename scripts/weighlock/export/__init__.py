"""A policy in other tools' words: the same identity and evidence as a command, or as a policy of a cluster. Pure.

No target can say all that a policy of ours says. What is lost is written into the output as comments, rule by rule, so that
nobody takes the weaker check for the whole one. Values of the policy are quoted for the target's language, never pasted.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from weighlock.config.verify import Rules, ScanRules, Trusted, VerifyPolicy
from weighlock.errors import InputError
from weighlock.predicates import PROVENANCE, SIGNATURE, TEST_RESULT, VULNERABILITIES
from weighlock.signing.identity import Identity
from weighlock.store.targets import Repository, Target
from weighlock.text import printable

GITHUB = "https://github.com/"


@dataclass(frozen=True, slots=True)
class Images:
    """Which artifacts a policy is about: one repository, or all below a prefix (``HOST/PREFIX/*``)."""

    prefix: str
    below: bool

    @classmethod
    def parse(cls, text: str) -> Images:
        """Read ``HOST/REPO`` or ``HOST/PREFIX/*``; a tag or digest, or a pattern of another kind, is an `InputError`."""
        prefix = text.removesuffix("/*")
        target = Target.parse(prefix)
        if not isinstance(target.place, Repository) or target.tag or target.digest:
            raise InputError(
                f"'{printable(text)}' names no repositories of a registry",
                remedy="Give HOST/REPO, or HOST/PREFIX/* for all repositories below.",
            )
        return cls(prefix, prefix != text)

    def pattern(self) -> str:
        """Return the anchored regular expression (RE2) of references by digest; a tag never matches."""
        more = "/[a-z0-9._/-]+" if self.below else ""
        return f"{escaped(self.prefix)}{more}@sha256:[a-f0-9]{{64}}$"

    def __str__(self) -> str:
        return self.prefix + ("/*" if self.below else "")


@dataclass(frozen=True, slots=True)
class Export:
    """A policy and what it is about."""

    policy: VerifyPolicy
    images: Images


def evidence(policy: VerifyPolicy) -> list[str]:
    """Return the predicate types that have to hang on a digest, apart from the model signature, which names files."""
    audit = [VULNERABILITIES] if policy.rules.audit.required else []
    return list(dict.fromkeys([SIGNATURE, PROVENANCE, TEST_RESULT, *audit, *policy.rules.evidence]))


def escaped(text: str) -> str:
    """Return the regular expression that matches this text alone, in every dialect: no sign is escaped that needs none."""
    return re.sub(r"([][\\.^$*+?(){}|])", r"\\\1", text)


def url(repository: str) -> str:
    """Return the URL of what may be written as OWNER/REPO."""
    return repository if "://" in repository else GITHUB + repository


def workflow(builder: str) -> str:
    """Return the pattern of certificate names of a builder, whatever ref of it ran."""
    return f"^{escaped(url(builder))}@(refs/.+|[0-9a-f]{{40}})$"


def subject(whom: Identity) -> tuple[str, str]:
    """Return the certificate's name that an identity pins, as an exact value or else as a pattern; one of them is empty."""
    if whom.identity:
        return whom.identity, ""
    return "", workflow(whom.builder) if whom.builder else f"^{escaped(GITHUB)}.+$"


def loses_builder(whom: Identity) -> bool:
    """Tell whether a tool that compares the exact name compares another builder than the one that is pinned."""
    return bool(whom.identity) and not whom.identity.startswith(f"{url(whom.builder)}@")


def head(export: Export, target: str) -> list[str]:
    """Return the words that every output begins with."""
    policy = export.policy
    return [
        f"Made by: weighlock policy export --to {target}, from {printable(policy.name)} ({policy.digest})",
        "What follows is weaker than `weighlock verify`. Not checked here:",
    ]


def losses(export: Export, kept: Collection[str]) -> Iterator[str]:
    """Say rule by rule what is lost; `kept` are the names of the rules that the target expresses."""
    for name, words in rules(export.policy):
        if name not in kept:
            yield f"  - {words}"


def pins_lost(whom: Trusted, number: int, kept: Collection[str]) -> Iterator[str]:
    """Say which pins of an identity are lost."""
    for name, value in whom.pins().items():
        if name not in kept:
            yield f"  - identity {number}: that {name} is {printable(value)}"


def rules(policy: VerifyPolicy) -> Iterator[tuple[str, str]]:
    """Yield everything that a verification under this policy asks of the evidence, each with its name."""
    yield "closure", "that layers, scan ledger and model signature name the same files"
    yield "model-signature", "the model signature (OMS) over the files"
    yield "content", "that the blobs are there and whole"
    yield "passed", "that no scan and no other test result says anything but PASSED"
    yield "audit", "that the model's own requirements were audited and nothing was found"
    yield "builder", "that the builder in the provenance is the one that signed it, and its parameters are known"
    yield from _further(policy)


def _further(policy: VerifyPolicy) -> Iterator[tuple[str, str]]:
    asked = policy.rules
    yield from _of_the_scan(asked.scan)
    if not asked.audit.waived:
        yield "audit-waivers", "that no vulnerability was waived"
    for kind in asked.provenance.build_types:
        yield "build-type", f"that the build type may be {printable(kind)}"
    for threshold in asked.evaluation.thresholds:
        yield "thresholds", f"that {printable(str(threshold))}"
    if asked.licences:
        yield "licences", f"that the licence is one of {printable(', '.join(asked.licences))}"
    yield from _ages(asked)
    for role in policy.follow:
        yield "follow", f"what the {printable(role)} has to show"


def _of_the_scan(scan: ScanRules) -> Iterator[tuple[str, str]]:
    for name, least in scan.engines.items():
        yield "engines", f"that {printable(name)} {printable(least)} or later read every file"
    if scan.fail_on is not None:
        yield "findings", f"that the scan has no finding of severity {scan.fail_on.name.lower()} or worse"
    if scan.waived != "accept":
        yield "waivers", f"that no finding was waived ({scan.waived})"


def _ages(asked: Rules) -> Iterator[tuple[str, str]]:
    ages = {
        "scan": asked.scan.max_age,
        "audit": asked.audit.max_age,
        "provenance": asked.provenance.max_age,
        "evaluation": asked.evaluation.max_age,
    }
    for name, days in ages.items():
        if days is not None:
            yield "age", f"that the {name} is at most {days} days old"
