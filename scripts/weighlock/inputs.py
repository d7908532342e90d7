"""How a stage declares what goes in and out, and the inputs that several stages share.

An input's field is at once a flag (``--fail-on``), an action's input (``with: fail-on:``) and a variable
(``INPUT_FAIL_ON``); a field of `Outputs` made by `output` is an action's output.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from weighlock import attestations, config, provenance
from weighlock.attestations import Attestations, Wanted
from weighlock.config import ModelEntry
from weighlock.config.verify import Rules, Trusted, VerifyPolicy
from weighlock.errors import InputError
from weighlock.evidence import Attached
from weighlock.jsonio import canonical, parse
from weighlock.signing import Signer, Verifier, ambient
from weighlock.signing.anyone import AnyOf
from weighlock.signing.identity import GITHUB_ISSUER, Identity
from weighlock.text import printable

PASSWORD_VARIABLE = "WEIGHLOCK_KEY_PASSWORD"  # noqa: S105 - the name, not the password


@dataclass(frozen=True, slots=True)
class Option:
    """How an input looks from outside."""

    help: str
    positional: bool
    metavar: str
    variable: str
    """Another variable that fills it, for what is the same in all commands."""


def option(
    help: str,  # noqa: A002 - the word that argparse uses
    *,
    default: Any = dataclasses.MISSING,
    positional: bool = False,
    metavar: str = "",
    variable: str = "",
) -> Any:
    """Declare a field of `Inputs`; without a default it is required."""
    return dataclasses.field(default=default, metadata={"option": Option(help, positional, metavar, variable)})


def output(help: str, *, default: Any = dataclasses.MISSING) -> Any:  # noqa: A002 - as in `option`
    """Declare a field of `Outputs` that is an action's output; other fields stay inside."""
    return dataclasses.field(default=default, metadata={"output": help})


@dataclass(frozen=True, slots=True)
class Enforced:
    """Whom a verification trusts and what must be shown; `policy` is the file that says so, where there is one."""

    verifier: Verifier
    rules: Rules = field(default_factory=Rules)
    policy: VerifyPolicy | None = None


_TRUST_CONFIG = "WEIGHLOCK_TRUST_CONFIG"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerInputs:
    """Who signs, for the stages that do: the holder of a key, or else whom the CI vouches for."""

    key: Path | None = option("private key (PEM); its password in WEIGHLOCK_KEY_PASSWORD", default=None, metavar="FILE")
    identity_token_file: Path | None = option(
        "sign without a key, by this OIDC identity token (default: the job's own identity)",
        default=None,
        metavar="FILE",
    )
    trust_config: Path | None = option(
        "the Sigstore to sign in, a ClientTrustConfig as JSON (default: the public one)",
        default=None,
        metavar="FILE",
        variable=_TRUST_CONFIG,
    )
    sigstore_timeout: int = option(
        "how long signing without a key may take, attempts and waits included", default=900, metavar="SECONDS"
    )
    allow_public_log: bool = option(
        "let a repository that is not public be named in the public Sigstore, for good", default=False
    )

    def lacks_identity(self, environ: Mapping[str, str]) -> bool:
        """Tell whether the CI gives this job no identity, whatever its workflow says, and no other was given."""
        return self.key is None and self.identity_token_file is None and ambient.look(environ).hopeless

    def signer(self, environ: Mapping[str, str], say: Callable[[str], None] = lambda _words: None) -> Signer:
        """Return the signer that these inputs name, which may `say` what it waits for; `InputError` where none is named."""
        if self.key is not None and self.identity_token_file is not None:
            raise InputError("a key and an identity token are given", remedy="Give --key or --identity-token-file.")
        if self.key is not None:
            from weighlock.signing.key import KeySigner  # noqa: PLC0415 - the library comes with the stages that sign

            return KeySigner.load(self.key, environ.get(PASSWORD_VARIABLE) or None)
        here = ambient.look(environ)
        if self.identity_token_file is None and here.known and not here.able:
            raise InputError(f"nobody signs: {here.why}", remedy=here.remedy)
        from weighlock.signing.keyless import tokens  # noqa: PLC0415 - takes a third of a second
        from weighlock.signing.keyless.signer import KeylessSigner  # noqa: PLC0415
        from weighlock.signing.keyless.trust import Trust  # noqa: PLC0415

        return KeylessSigner(
            Trust(self.trust_config),
            tokens.file(self.identity_token_file) if self.identity_token_file else tokens.ambient,
            allow_public_log=self.allow_public_log,
            limit=self.sigstore_timeout,
            say=say,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifierInputs:
    """Whom to trust, for the stages that verify: the holder of a key, or an identity that an issuer vouches for."""

    key: Path | None = option("public key (PEM) of the one who released the model", default=None, metavar="FILE")
    policy: Path | None = option(
        "file with the policy, in weighlock.yml's form: its section verify says whom to trust and what must be shown",
        default=None,
        metavar="FILE",
    )
    issuer: str = option(f"who vouches for the identity; GitHub Actions is {GITHUB_ISSUER}", default="", metavar="URL")
    identity: str = option(
        "name in the certificate: a workflow's URL with its ref, or an e-mail address", default="", metavar="NAME"
    )
    source: str = option("repository that was released: OWNER/REPO, or its URL", default="", metavar="REPOSITORY")
    ref: str = option("ref that was released: refs/tags/v1.2.0, refs/heads/main", default="", metavar="REF")
    trigger: str = option(
        "event that started the release: push, workflow_dispatch, release", default="", metavar="EVENT"
    )
    runner: str = option("kind of the runner: github-hosted or self-hosted", default="", metavar="KIND")
    builder: str = option(
        "workflow that signed: OWNER/REPO/.github/workflows/FILE, without a ref", default="", metavar="WORKFLOW"
    )
    builder_commit: str = option("commit of that workflow, all of it", default="", metavar="COMMIT")
    trust_config: Path | None = option(
        "the Sigstore that it was signed in: a ClientTrustConfig or a trusted_root.json (default: the public one)",
        default=None,
        metavar="FILE",
        variable=_TRUST_CONFIG,
    )

    def pin(self) -> bool:
        """Tell whether they name anybody."""
        return self.key is not None or self.policy is not None or any(self._pinned().values())

    def verifier(self) -> Verifier:
        """Return the verifier of the identity that these inputs pin; `InputError` where they pin none."""
        return self.enforced().verifier

    def enforced(self) -> Enforced:
        """Return whom to trust and what must be shown; `InputError` where nobody is named, or two things name them."""
        if self.policy is None:
            return Enforced(_verifier(self._whom(), self.trust_config))
        if self.key is not None or any(self._pinned().values()):
            raise InputError(
                "a policy is given and an identity beside it", remedy="Put the identity into the policy's 'trusted'."
            )
        policy = config.load(self.policy).verify
        if policy is None:
            raise InputError(
                f"{printable(str(self.policy))} has no section 'verify', and an empty policy lets everything pass",
                remedy="Say whom to trust: verify: {trusted: [{key: release.pub}]}",
            )
        return Enforced(trusting(policy.trusted, self.trust_config), policy.rules, policy)

    def trusted(self) -> Sequence[Trusted]:
        """Return the identities that these inputs pin, by flags or by a policy."""
        policy = self.enforced().policy
        return policy.trusted if policy else (Trusted(self._whom()),)

    def _whom(self) -> Path | Identity:
        """Return whom the flags pin: a key or an identity, which are never pinned together."""
        pinned = self._pinned()
        if self.key is None:
            return Identity(**pinned)
        if any(pinned.values()):
            raise InputError("a key and an identity are pinned", remedy="Pin one of them: a key has no certificate.")
        return self.key

    def _pinned(self) -> dict[str, str]:
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(Identity)}


def trusting(trusted: Sequence[Trusted], trust_config: Path | None) -> Verifier:
    """Return the verifier that takes a signature by any of these identities; certificates are of one Sigstore."""
    return AnyOf([_verifier(item.whom, trust_config) for item in trusted])


def _verifier(whom: Path | Identity, trust_config: Path | None) -> Verifier:
    """Return the verifier of a key or of an identity."""
    if isinstance(whom, Identity):
        from weighlock.signing.keyless.verifier import KeylessVerifier  # noqa: PLC0415 - takes a third of a second

        return KeylessVerifier.load(whom, trust_config)
    from weighlock.signing.key import KeyVerifier  # noqa: PLC0415 - the library comes with the stages that verify

    return KeyVerifier.load(whom)


@dataclass(frozen=True, kw_only=True)
class ToldInputs:
    """What provenance says beside the run, which nobody could find out by himself.

    Without slots: a class can inherit those of one other only, and here they are the signer's.
    """

    base_model: tuple[str, ...] = option(
        "models that it was made of, one NAME=WHERE a line: URI@sha256:DIGEST, URI@COMMIT, or a path here",
        default=(),
        metavar="NAME=WHERE",
    )
    dataset: tuple[str, ...] = option(
        "data that it was trained on, like base-model; pointers of Git LFS and DVC are read",
        default=(),
        metavar="NAME=WHERE",
    )
    parameters: Path | None = option("hyperparameters, a JSON object", default=None, metavar="FILE")
    subject_path: tuple[str, ...] = option(
        "files built beside it, which the provenance covers too: paths or patterns, one a line",
        default=(),
        metavar="PATTERN",
    )
    subject_checksums: Path | None = option(
        "more of them, with their digests, as sha256sum writes them", default=None, metavar="FILE"
    )
    subject_image: tuple[str, ...] = option(
        "images built beside it, one NAME@sha256:DIGEST a line", default=(), metavar="IMAGE"
    )

    def told(self, listed: Path | None = None, entry: ModelEntry | None = None, external: str = "") -> provenance.Told:
        """Read and weigh all of it, and what `entry` says.

        `listed` is a list that the CI keeps of what a job made; `external` are the inputs of a reusable workflow.
        """
        return provenance.told(
            base_models=self.base_model,
            datasets=self.dataset,
            parameters=self.parameters,
            paths=self.subject_path,
            checksums=self.subject_checksums,
            images=self.subject_image,
            listed=listed,
            external=external,
            entry=entry,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenanceInputs(ToldInputs, SignerInputs):
    """Who signs, and what provenance says beside the run, for the stages that write it."""

    bundles: Path | None = option(
        "write all bundles here too, one a line, for gh and for those who cannot reach the registry",
        default=None,
        metavar="FILE.jsonl",
    )
    github_attestations: Wanted = option(
        "give the bundles to GitHub's attestations API too: off, try (go on where that fails) or on",
        default=Wanted.OFF,
        metavar="WHEN",
    )
    external_parameters: str = option(
        "all inputs of publish-model.yml as JSON; only that workflow gives them", default="", metavar="JSON"
    )

    def shelves(self, environ: Mapping[str, str], say: Callable[[str], None]) -> Callable[[Sequence[Attached]], None]:
        """Return what takes the bundles wherever else they are wanted; what cannot work is said before the work."""
        file, github = self.bundles, self._github(environ, say)
        if file is not None and file.suffix != ".jsonl":
            raise InputError(
                "bundles: the name does not end in .jsonl", remedy="gh reads several from such a file only."
            )

        def take(bundles: Sequence[Attached]) -> None:
            if file is not None:
                file.write_bytes(b"".join(canonical(parse(item.bundle.raw, "bundle")) + b"\n" for item in bundles))
            github(bundles)

        return take

    def _github(self, environ: Mapping[str, str], say: Callable[[str], None]) -> Callable[[Sequence[Attached]], None]:
        if self.github_attestations is Wanted.OFF:
            return lambda _bundles: None
        try:
            place = Attestations.of(environ, keyless=self.key is None)
        except InputError as error:
            if self.github_attestations is Wanted.ON:
                raise
            say(f"warning: {error.what}")
            return lambda _bundles: None
        return attestations.shelves(place, self.github_attestations, say)
