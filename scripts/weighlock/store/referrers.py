"""Referrers in a registry: its API, or the tag that stands in for it (distribution-spec 1.1.1, "Referrers").

The tag holds an index that every writer reads, changes and writes back, and registries do not compare before they set.
So the index is changed once for a whole batch, looked at again after a pause, and joined anew when another writer came
between. Readers filter on an entry's artifact type and annotations, so both are always the manifest's own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlencode, urljoin

from weighlock.errors import MalformedError, StoreError
from weighlock.oci import INDEX, MANIFEST, MANIFEST_LIMIT, Descriptor, Digest, Index, single
from weighlock.retries import PassingError
from weighlock.store import of_type
from weighlock.store.auth import PUSH
from weighlock.store.client import Call, Client, Reply
from weighlock.store.listing import Listing
from weighlock.store.wire import origin

_DOCKER = "application/vnd.docker.distribution.manifest"
ACCEPT = f"{MANIFEST}, {INDEX}, {_DOCKER}.v2+json, {_DOCKER}.list.v2+json"
_NO_API = frozenset({404, 405, 406})
_PAGES = 100
_NEXT = re.compile(r'<([^<>]+)>\s*;[^,]*\brel="?next"?', re.IGNORECASE)


class Referrers:
    """What hangs on the manifests of one repository."""

    def __init__(self, client: Client, settle: float = 0.5) -> None:
        """`settle` is the shortest pause in seconds after which a write to the tag counts as undisturbed."""
        self._client = client
        self._settle = settle

    def listed(self, subject: Digest, artifact_type: str | None = None) -> tuple[Descriptor, ...]:
        """List the referrers of `subject`, or those of a type.

        The types behind the tag are words of its writers, and some are wrong; so what it lists is of any type.
        """
        listed = self._from_api(subject, artifact_type)
        return self._tagged(subject)[0].descriptors() if listed is None else listed

    def ensure(self, subject: Digest, attached: Sequence[Descriptor], unlisted: Sequence[Descriptor]) -> None:
        """See that `attached` are listed; the registry did not say that it does so itself for those in `unlisted`."""
        if not attached:
            return
        types = {entry.artifact_type for entry in attached}
        one_type = types.pop() if len(types) == 1 else None
        listed = self._from_api(subject, one_type)
        pending = attached if listed is None else unlisted  # some say that they list and have no API to show it
        if pending:
            self._update(subject, pending)
        attempts = self._client.attempts()
        while listed is not None and not {entry.digest for entry in attached} <= {entry.digest for entry in listed}:
            attempts.failed(
                PassingError(StoreError(f"{self._client.name} does not list what was attached to {subject}"))
            )
            listed = self._from_api(subject, one_type)

    def _from_api(self, subject: Digest, artifact_type: str | None) -> tuple[Descriptor, ...] | None:
        """Return what the API lists, None where there is no API.

        A registry need not filter, nor say truly in ``OCI-Filters-Applied`` that it did; so we do it once more.
        """
        query = f"?{urlencode({'artifactType': artifact_type})}" if artifact_type else ""
        url: str | None = self._client.url(f"referrers/{subject}{query}")
        found: list[Descriptor] = []
        for _ in range(_PAGES):
            call = Call(
                f"listing the referrers of {subject}", "GET", str(url), headers={"Accept": INDEX}, accept=_NO_API
            )
            reply = self._client.exchange(call, MANIFEST_LIMIT)
            if reply.status in _NO_API or not _is_index(reply):
                return None
            found += Index.parse(reply.body, f"the referrers of {subject} in {self._client.name}").manifests
            url = _following(reply)
            if url is None:
                return of_type(single(tuple(found)), artifact_type)
        raise StoreError(f"{self._client.name} lists the referrers of {subject} on more than {_PAGES} pages")

    def _tagged(self, subject: Digest) -> tuple[Listing, str]:
        """Return what the tag lists, and its entity tag; nothing where there is no such tag."""
        url = self._client.url(f"manifests/sha256-{subject.hex}")
        call = Call(f"reading the referrers tag of {subject}", "GET", url, headers={"Accept": ACCEPT}, accept=_NO_API)
        reply = self._client.exchange(call, MANIFEST_LIMIT)
        if reply.status in _NO_API:
            return Listing(), ""
        what = f"the tag sha256-{subject.hex} in {self._client.name}"
        try:
            return Listing.parse(reply.body, what), reply.headers.get("ETag", "")
        except MalformedError as error:
            raise StoreError(
                error.what, remedy="Something else holds the tag that lists the referrers; remove it if you may."
            ) from None

    def _update(self, subject: Digest, descriptors: Sequence[Descriptor]) -> None:
        """Write until the tag holds `descriptors` and all that was ever seen there, a while after the last write."""
        lost = f"{self._client.name}: other writers keep replacing the referrers tag of {subject}"
        failure = PassingError(StoreError(lost, remedy="Let one job at a time attach to a model."))
        attempts = self._client.attempts()
        seen, written = Listing(), False
        while True:
            begun = self._client.retries.clock()
            held, entity_tag = self._tagged(subject)
            seen = held.joined(seen).listing(descriptors)
            if seen == held:
                return
            if written:
                attempts.failed(failure)
            else:
                self._put(subject, seen, entity_tag)
                self._let_others_write(begun)
            written = not written

    def _let_others_write(self, begun: float) -> None:
        """Wait until one who read the tag before we wrote it has written too: a few times as long as that took us."""
        taken = self._client.retries.clock() - begun
        pause = max(self._settle, 4 * taken) * (1 + self._client.retries.jitter())
        self._client.retries.sleep(pause)

    def _put(self, subject: Digest, listing: Listing, entity_tag: str) -> None:
        url = self._client.url(f"manifests/sha256-{subject.hex}")
        headers = {"Content-Type": INDEX, **({"If-Match": entity_tag} if entity_tag else {})}
        changed = frozenset({412})  # another writer was faster, and the registry noticed
        self._client.exchange(
            Call(f"listing the referrers of {subject}", "PUT", url, PUSH, headers, listing.encode, changed)
        )


def _is_index(reply: Reply) -> bool:
    """Tell an answer of the API from the page with which some servers answer every address."""
    return reply.headers.get("Content-Type", "").partition(";")[0].strip() == INDEX


def _following(reply: Reply) -> str | None:
    link = _NEXT.search(reply.headers.get("Link", ""))
    if link is None:
        return None
    url: str = urljoin(reply.url, link[1])
    if origin(url) != origin(reply.url):
        raise StoreError("the registry continues a list of referrers on another host; that is refused")
    return url
