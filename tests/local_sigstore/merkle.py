"""An append-only Merkle tree with inclusion proofs (RFC 6962, section 2.1)."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Inclusion:
    """That a leaf is in the tree of this size and root."""

    index: int
    size: int
    root: bytes
    hashes: tuple[bytes, ...]


class Tree:
    """A tree that starts with a few leaves, so that no proof is empty."""

    def __init__(self) -> None:
        self._leaves = [_leaf(b"leaf %d" % number) for number in range(3)]
        self._lock = threading.Lock()

    def append(self, body: bytes) -> Inclusion:
        """Add `body` and prove that it is in; `ValueError` where it was."""
        with self._lock:
            leaf = _leaf(body)
            if leaf in self._leaves:
                raise ValueError(f"an equivalent entry already exists in the transparency log with UUID {leaf.hex()}")
            self._leaves.append(leaf)
            root, hashes = _proof(self._leaves, len(self._leaves) - 1)
            return Inclusion(len(self._leaves) - 1, len(self._leaves), root, tuple(hashes))


def _leaf(body: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + body).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def _split(leaves: Sequence[bytes]) -> tuple[Sequence[bytes], Sequence[bytes]]:
    """Split at the largest power of two that is smaller than their number."""
    at = 1 << (len(leaves) - 1).bit_length() - 1
    return leaves[:at], leaves[at:]


def _root(leaves: Sequence[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    left, right = _split(leaves)
    return _node(_root(left), _root(right))


def _proof(leaves: Sequence[bytes], index: int) -> tuple[bytes, list[bytes]]:
    """Return the root, and the siblings of the leaf and of its parents, from the bottom up."""
    if len(leaves) == 1:
        return leaves[0], []
    left, right = _split(leaves)
    if index < len(left):
        inner, hashes = _proof(left, index)
        sibling = _root(right)
        return _node(inner, sibling), [*hashes, sibling]
    inner, hashes = _proof(right, index - len(left))
    sibling = _root(left)
    return _node(sibling, inner), [*hashes, sibling]
