"""What a model was made of, verified in turn: the things that provenance names in a role, each by its own evidence.

Provenance is its signer's word. That a base model is what it is called, only the base model's own evidence can show, by an
identity that the policy trusts for it. Steps are bounded, and a chain that comes back to where it was is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote

from weighlock.config.verify import Follow
from weighlock.errors import InputError, NotFoundError, RefusedError
from weighlock.gate import Check
from weighlock.gate.case import newest
from weighlock.inputs import Enforced
from weighlock.jsonio import Json
from weighlock.oci import Digest
from weighlock.predicates import PROVENANCE
from weighlock.store import Store
from weighlock.store.targets import Repository, Target, find
from weighlock.text import printable
from weighlock.verification import Verification, verify

_MOST = 50  # artifacts in all
_PURL = "pkg:oci/"


@dataclass(slots=True)
class Follower:
    """Walks from an artifact to what it was made of, in one role, and keeps what it verified."""

    role: str
    depth: int
    enforced: Enforced
    open_store: Callable[[Target], Store]
    asked: int = field(default=0, init=False)
    verified: list[Verification] = field(default_factory=list, init=False)

    def checks(self, verification: Verification) -> Iterator[Check]:
        """Yield a check for each thing that was followed, and one that says so where there is none."""
        found = list(self._walk(verification, self.depth, (verification.descriptor.digest,)))
        yield from found or [Check(self.role, ok=True, reason=f"the provenance names no {self.role}")]

    def _walk(self, verification: Verification, steps: int, way: tuple[Digest, ...]) -> Iterator[Check]:
        for item in _named(verification, self.role):
            try:
                below = self._verify(reference(item), way)
            except (RefusedError, NotFoundError) as error:
                yield Check(self.role, ok=False, reason=f"{printable(str(item.get('name')))}: {error.what}")
                continue
            further = bool(_named(below, self.role))
            beyond = "; what it was made of lies beyond the steps that are followed" if further and steps == 1 else ""
            words = f"{printable(str(item.get('name')))} is {below.descriptor.digest} and verifies{beyond}"
            yield Check(self.role, ok=True, reason=words)
            if steps > 1:
                yield from self._walk(below, steps - 1, (*way, below.descriptor.digest))

    def _verify(self, target: Target, way: tuple[Digest, ...]) -> Verification:
        """Verify one artifact; `RefusedError` with the first step that says no."""
        if target.digest in way:
            raise RefusedError(f"{target.digest} is said to be made of itself")
        if self.asked >= _MOST:
            raise RefusedError(f"more than {_MOST} artifacts are not followed")
        self.asked += 1
        store = self.open_store(target)
        verification = verify(store, find(store, target), self.enforced)
        failed = next((item for item in verification.checks if not item.ok), None)
        if failed:
            raise RefusedError(f"{target.digest} does not verify: {failed.name}: {failed.reason}")
        self.verified.append(verification)
        return verification


def asked_of(role: str, enforced: Enforced) -> Follow:
    """Return what the policy asks of the things in this role; `InputError` where it says nothing of them."""
    asked = enforced.policy.follow.get(role) if enforced.policy else None
    if asked is None:
        raise InputError(
            f"nothing says whom to trust for the {printable(role)}",
            remedy=f"Say it in the policy: verify: {{follow: {{{printable(role)}: {{trusted: […]}}}}}}",
        )
    return asked


def reference(dependency: Json) -> Target:
    """Return where a resolved dependency is, by digest; one that is in no registry is a `RefusedError`."""
    uri, digests = dependency.get("uri"), dependency.get("digest")
    sha256 = digests.get("sha256") if isinstance(digests, dict) else None
    if not isinstance(uri, str) or not isinstance(sha256, str):
        raise RefusedError("it has no URI with a sha256 digest, so its evidence cannot be found")
    place = _place(uri)
    try:
        target = Target.parse(place if "@sha256:" in place else f"{place}@sha256:{sha256}")
    except InputError:
        raise RefusedError(f"'{printable(uri)}' is in no registry, so its evidence cannot be found") from None
    if not isinstance(target.place, Repository):
        raise RefusedError(f"'{printable(uri)}' is in no registry, so its evidence cannot be found")
    if target.digest is None or target.digest.hex != sha256:
        raise RefusedError(f"'{printable(uri)}' and its digest name two things")
    return target


def _place(uri: str) -> str:
    """Return ``HOST/REPO``, with the digest where the URI has one."""
    if not uri.startswith(_PURL):
        return uri.removeprefix("oci://")
    path, _, query = uri.removeprefix(_PURL).partition("?")
    version = unquote(path.partition("@")[2])
    repository = parse_qs(query).get("repository_url", [""])[0]
    return f"{repository}@{version}" if version else repository


def _named(verification: Verification, role: str) -> list[Json]:
    """Return what the newest provenance names in this role."""
    if verification.case is None:
        return []
    found = []
    for item in newest(verification.case.about(PROVENANCE)):
        definition = item.statement.predicate.get("buildDefinition")
        listed = definition.get("resolvedDependencies") if isinstance(definition, dict) else None
        found += [entry for entry in listed or [] if isinstance(entry, dict) and _role(entry) == role]
    return found


def _role(entry: Json) -> object:
    annotations = entry.get("annotations")
    return annotations.get("role") if isinstance(annotations, dict) else None
