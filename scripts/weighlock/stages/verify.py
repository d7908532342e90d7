"""``weighlock verify``: check an artifact and all its evidence against one pinned identity.

The steps are numbered as they are printed: the manifest is what its digest says, it is a model, its content is there,
somebody we know signed the evidence, and the evidence says yes about exactly these files (see `gate`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from weighlock import evidence, gate, jsonio
from weighlock.errors import IntegrityError, NotFoundError, RefusedError
from weighlock.evidence import Collected
from weighlock.formats.modelpack import ModelPack
from weighlock.gate import Case, Check, check
from weighlock.inputs import Enforced, VerifierInputs, option, output
from weighlock.jsonio import Json
from weighlock.oci import Descriptor, Manifest
from weighlock.predicates import TEST_RESULT
from weighlock.stages import Context, Problem
from weighlock.store import Store, read
from weighlock.store.targets import Target, find, open_store
from weighlock.text import counted, printable

_LICENCES = "org.opencontainers.image.licenses"
_CONFIG_LIMIT = 4 * 1024 * 1024  # bytes
EXAMPLES = """\
whom to trust:
  Nobody is trusted unless you say whom: an issuer together with --source, --builder or --identity, or a key. Every value
  is compared as a whole; https://github.com/ may be left out of --source and --builder. The signatures are found where
  the model is, and what was enforced is printed. To learn who signed, without believing it: weighlock inspect TARGET

examples:
  a model that a repository on GitHub released by a workflow of its own, at a tag:
    weighlock verify ghcr.io/acme/tiny:1.2.0 --issuer https://token.actions.githubusercontent.com \\
      --source acme/models --builder acme/models/.github/workflows/release.yml --ref refs/tags/v1.2.0

  one that a reusable workflow of another repository built, whose tag may move, on GitHub's own machines:
    weighlock verify ghcr.io/acme/tiny:1.2.0 --issuer https://token.actions.githubusercontent.com --source acme/models \\
      --builder acme/builders/.github/workflows/publish.yml --builder-commit COMMIT --runner github-hosted

  one that a person signed:
    weighlock verify ghcr.io/acme/tiny:1.2.0 --issuer https://accounts.google.com --identity ada@example.com

  one that was signed with a key, in a layout on disk:
    weighlock verify oci:release:1.2.0 --key acme.pub

  what a file says, several identities and rules for the evidence among it:
    weighlock verify ghcr.io/acme/tiny:1.2.0 --policy policy.yml

  in another Sigstore than the public one, or without a network:
    weighlock verify oci:release:1.2.0 --trust-config trusted_root.json --issuer URL --source acme/models

exit codes: 0 it passes, 1 it does not, 2 the inputs are wrong, 3 it could not be found out
"""


@dataclass(frozen=True, slots=True)
class Inputs(VerifierInputs):
    """What `verify` is told."""

    target: str = option("the artifact: oci:DIR[:TAG|@DIGEST] or HOST/REPO[:TAG|@DIGEST]", positional=True)
    tag: str = option("set this tag on the digest when the verdict is pass", default="")
    plain_http: bool = option("talk to the registry without TLS (loopback needs no flag)", default=False)


@dataclass(frozen=True, slots=True)
class Verification:
    """What was checked of one artifact, and what was found on the way."""

    descriptor: Descriptor
    checks: tuple[Check, ...]
    manifest: Manifest | None = None
    files: dict[str, Descriptor] | None = None
    collected: Collected = Collected((), ())

    @property
    def passed(self) -> bool:
        """Tell whether every step said yes."""
        return all(item.ok for item in self.checks)


@dataclass(frozen=True, slots=True)
class Outputs:
    """What `verify` found."""

    enforced: Enforced
    verification: Verification
    verdict: str = output("pass or fail")
    digest: str = output("digest that was verified; deploy this, not the tag")
    reference: str = output("where it is, by digest")

    @property
    def passed(self) -> bool:
        """Tell whether the verdict is pass."""
        return self.verification.passed

    def data(self) -> Json:
        """Return the verdict and every check."""
        policy = self.enforced.policy
        cited = {} if policy is None else {"policy": {"name": policy.name, "digest": str(policy.digest)}}
        return {
            "verdict": self.verdict,
            "digest": self.digest,
            "identity": self.enforced.verifier.identity,
            **cited,
            "checks": [item.to_json() for item in self.verification.checks],
            "ignored": [
                {"digest": str(item.descriptor.digest), "reason": item.reason}
                for item in self.verification.collected.ignored
            ],
        }

    def text(self) -> str:
        """Return the numbered steps and the verdict."""
        lines = [
            f"{number:2}. {'yes' if item.ok else 'NO '}  {item.name}: {item.reason}"
            for number, item in enumerate(self.verification.checks, 1)
        ]
        lines += [
            f"    ignored {item.descriptor.digest}: {item.reason}" for item in self.verification.collected.ignored
        ]
        return "\n".join([*self._head(), *lines, self.verdict.upper()]) + "\n"

    def _head(self) -> list[str]:
        policy = self.enforced.policy
        cited = [] if policy is None else [f"policy {printable(policy.name)}, {policy.digest}"]
        return [f"{self.reference}, trusting {self.enforced.verifier.identity}", *cited]

    def problems(self) -> list[Problem]:
        """Return the failed steps."""
        return [Problem("", f"{item.name}: {item.reason}") for item in self.verification.checks if not item.ok]


def run(inputs: Inputs, context: Context) -> Outputs:
    """Verify the artifact that the target names now; set the tag if asked to and if the verdict is pass."""
    enforced = inputs.enforced()
    target = Target.parse(inputs.target)
    tag = target.with_tag(inputs.tag).tag if inputs.tag else None
    store = open_store(target, plain_http=inputs.plain_http)
    outputs = report(store, verify(store, find(store, target), enforced), enforced)
    if tag and outputs.passed:
        store.tag(outputs.verification.descriptor, tag)
        context.say(f"tagged {outputs.digest} as '{tag}'")
    return outputs


def report(store: Store, verification: Verification, enforced: Enforced) -> Outputs:
    """Return the outputs for a verification."""
    digest = str(verification.descriptor.digest)
    verdict = "pass" if verification.passed else "fail"
    reference = f"{store.name}@{digest}"
    return Outputs(enforced, verification, verdict=verdict, digest=digest, reference=reference)


def verify(store: Store, descriptor: Descriptor, enforced: Enforced) -> Verification:
    """Take all steps; without a readable manifest, or with more hung on it than is read, there are no further ones."""
    try:
        manifest = Manifest.parse(store.manifest(descriptor.digest))
        files = ModelPack().files(manifest)
    except (RefusedError, NotFoundError) as error:
        return Verification(descriptor, (Check("manifest", ok=False, reason=error.what),))
    first = (
        Check("manifest", ok=True, reason=f"a ModelPack of {counted(len(files), 'file')}, as its digest says"),
        check("content", lambda: _content(store, manifest, files)),
    )
    try:
        collected = evidence.collect(store, descriptor, enforced.verifier)
    except RefusedError as error:
        return Verification(descriptor, (*first, Check("bundles", ok=False, reason=error.what)), manifest, files)
    digests = {path: layer.digest for path, layer in files.items()}
    licences = _licences(store, manifest) if enforced.rules.licences else ()
    case = Case(descriptor.digest, digests, collected.trusted, licences)
    checks = (*first, check("bundles", lambda: _bundles(collected, enforced)), *gate.judge(case, enforced.rules))
    return Verification(descriptor, checks, manifest, files, collected)


def scan_results(target: str, enforced: Enforced, say: Callable[[str], None], *, plain_http: bool) -> list[Json]:
    """Return the predicates of the scans of a release that verifies; none, and a word why, where it does not."""
    named = Target.parse(target)
    store = open_store(named, plain_http=plain_http)
    try:
        verification = verify(store, find(store, named), enforced)
    except (RefusedError, NotFoundError) as error:
        say(f"no earlier scan result is used: {error.what}")
        return []
    failed = next((item for item in verification.checks if not item.ok), None)
    if failed:
        say(f"no earlier scan result is used, {printable(target)} does not verify: {failed.name}: {failed.reason}")
        return []
    statements = [item.statement for item in verification.collected.trusted]
    return [
        dict(item.predicate)
        for item in statements
        if item.predicate_type == TEST_RESULT and item.covers(verification.descriptor.digest)
    ]


def _content(store: Store, manifest: Manifest, files: dict[str, Descriptor]) -> str:
    """Examine every blob, as thoroughly as the store can for little."""
    words = ""
    for path, blob in (("config", manifest.config), *files.items()):
        try:
            words = store.examine(blob)
        except (IntegrityError, NotFoundError) as error:
            raise RefusedError(f"'{printable(path)}': {error.what}") from None
    return f"{counted(len(files), 'file')} {words}"


def _bundles(collected: Collected, enforced: Enforced) -> str:
    pinned = enforced.verifier
    if not collected.trusted:
        others = f", {len(collected.ignored)} by others or unreadable" if collected.ignored else ""
        raise RefusedError(f"no bundle by {pinned.identity} hangs on this digest{others}")
    ignored = f", {len(collected.ignored)} ignored" if collected.ignored else ""
    return f"{len(collected.trusted)} by {pinned.identity}{ignored}"


def _licences(store: Store, manifest: Manifest) -> tuple[str, ...]:
    """Return the licences that the manifest's annotation and the ModelPack's config name; unreadable is none."""
    annotated = manifest.annotations.get(_LICENCES, "")
    try:
        config = jsonio.parse(read(store, manifest.config, _CONFIG_LIMIT), "config")
        named = (jsonio.optional(config, "descriptor", dict, "config") or {}).get("licenses")
    except (RefusedError, NotFoundError):
        return ()
    listed: Sequence[object] = named if isinstance(named, list) else []
    return tuple(dict.fromkeys(str(item) for item in [*([annotated] if annotated else []), *listed]))
