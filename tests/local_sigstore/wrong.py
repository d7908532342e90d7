"""Answers of a log that lies, for a client that signs."""

from __future__ import annotations

from typing import Any

from local_sigstore.keys import b64
from local_sigstore.service import REKOR_1, REKOR_2, Fault


def same_entry(version: int) -> Fault:
    """Answer every upload with the entry of the first one."""
    seen: list[Any] = []

    def change(answer: Any) -> Any:
        seen.append(answer)
        return seen[0]

    return Fault(REKOR_1 if version == 1 else REKOR_2, change=change)


def other_root(version: int) -> Fault:
    """Answer with a proof that leads to another root hash."""

    def change(answer: Any) -> Any:
        if version == 1:
            for entry in answer.values():
                entry["verification"]["inclusionProof"]["rootHash"] = bytes(32).hex()
        else:
            answer["inclusionProof"]["rootHash"] = b64(bytes(32))
        return answer

    return Fault(REKOR_1 if version == 1 else REKOR_2, change=change)
