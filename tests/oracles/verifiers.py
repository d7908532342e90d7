"""Everybody who can verify a keyless release, each as its users call it: None for a yes, or the words of the no."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import tools
from forged_releases import TYPES
from local_sigstore import GITHUB_ISSUER, LocalSigstore, trusted_root, write
from weighlock.stages import Context
from weighlock.stages.verify import Inputs, run

SCRIPT = Path(__file__).parent / "node" / "verify.cjs"
COMMANDS = Path(__file__).parent / "several_commands.py"

Answers = list["str | None"]


@dataclass(frozen=True)
class Question:
    """A release to verify: in two registries, and as files."""

    identity: str
    repository: str
    fallback: str
    """In a registry that has no referrers API."""
    referrers: str
    """In one that has it."""
    bundles: list[bytes]
    model: Path


@dataclass(frozen=True)
class Verifiers:
    """The verifiers, with the root that they trust written into `folder`."""

    folder: Path
    oracle: Callable[[str], str]
    root: str

    @classmethod
    def make(cls, folder: Path, sigstore: LocalSigstore, oracle: Callable[[str], str]) -> Verifiers:
        write(sigstore, folder)
        return cls(folder, oracle, json.dumps(trusted_root(sigstore)))

    def weighlock(self, questions: Sequence[Question]) -> Answers:
        """Ask ours about the release in a registry without the referrers API."""
        return [self._weighlock(question) for question in questions]

    def gh_fallback(self, questions: Sequence[Question]) -> Answers:
        """Ask GitHub's command line about the same."""
        return [self._gh(question.fallback, question) for question in questions]

    def gh_referrers(self, questions: Sequence[Question]) -> Answers:
        """Ask it about the release in the other registry."""
        return [self._gh(question.referrers, question) for question in questions]

    def javascript(self, questions: Sequence[Question]) -> Answers:
        """Ask about every bundle; it looks at signatures and identities, never at what is said about which digest."""
        node = self.oracle("bin/node")
        asked = [
            {
                "bundle": bundle.decode(),
                "identity": f"^{re.escape(question.identity)}$",  # it takes a pattern
                "issuer": GITHUB_ISSUER,
            }
            for question in questions
            for bundle in question.bundles
        ]
        command = [node, str(SCRIPT), str(Path(node).parents[1] / "javascript")]
        answers = iter(_asked(command, {"root": json.loads(self.root), "asked": asked}))
        return [next(filter(None, [next(answers) for _ in question.bundles]), None) for question in questions]

    def model_signing(self, questions: Sequence[Question]) -> Answers:
        """Ask about the files, with the one bundle that is about them."""
        commands = []
        for number, question in enumerate(questions):
            [bundle] = [bundle for bundle in question.bundles if _type(bundle) == TYPES["files"]]
            signature = self.folder / f"{number}.sig"
            signature.write_bytes(bundle)
            words = ["verify", "sigstore", str(question.model), "--signature", str(signature)]
            words += ["--identity", question.identity, "--identity_provider", GITHUB_ISSUER]
            commands.append([*words, "--trust_config", str(self.folder / "client_trust_config.json")])
        return _asked([self.oracle("bin/python"), str(COMMANDS), "model_signing"], commands)

    def _weighlock(self, question: Question) -> str | None:
        outputs = run(
            Inputs(
                question.fallback,
                issuer=GITHUB_ISSUER,
                identity=question.identity,
                source=question.repository,
                trust_config=self.folder / "client_trust_config.json",
            ),
            Context(environ={}),
        )
        return None if outputs.passed else outputs.text()

    def _gh(self, target: str, question: Question) -> str | None:
        """Ask for provenance, which is what it verifies unless told otherwise."""
        tools.require("gh")
        done = subprocess.run(
            [
                *("gh", "attestation", "verify", f"oci://{target}", "--bundle-from-oci", "-R", question.repository),
                *("--cert-identity", question.identity, "--custom-trusted-root", self.folder / "trusted_root.jsonl"),
            ],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.folder),
                "GH_TOKEN": "none",
                "GH_NO_UPDATE_NOTIFIER": "1",
                "GH_PROMPT_DISABLED": "1",
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return None if done.returncode == 0 else done.stdout + done.stderr


def _asked(command: Sequence[str], question: object) -> Answers:
    """Run a program that takes questions as JSON and answers so, null for a yes."""
    done = subprocess.run(command, input=json.dumps(question), capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    answers: Answers = json.loads(done.stdout)
    return answers


def _type(bundle: bytes) -> str:
    payload = base64.b64decode(json.loads(bundle)["dsseEnvelope"]["payload"])
    try:
        return str(json.loads(payload)["predicateType"])
    except ValueError:  # a payload that a test damaged
        return ""


NAMES: dict[str, Callable[[Verifiers, Sequence[Question]], Answers]] = {
    "weighlock": Verifiers.weighlock,
    "gh, referrers tag": Verifiers.gh_fallback,
    "gh, referrers API": Verifiers.gh_referrers,
    "@sigstore/verify": Verifiers.javascript,
    "model_signing": Verifiers.model_signing,
}
