"""Sigstore's JavaScript verifies the bundles that we make with a key."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from releasing import Keys, Released

SCRIPT = Path(__file__).parent / "node" / "verify.cjs"

Judge = Callable[[Keys, Sequence[bytes]], "list[str | None]"]


@pytest.fixture
def judge(oracle: Callable[[str], str]) -> Judge:
    """Return a function from bundles to what is wrong with each, None where nothing is."""
    node = oracle("bin/node")
    packages = Path(node).parents[1] / "javascript"

    def run(keys: Keys, bundles: Sequence[bytes]) -> list[str | None]:
        asked = [{"bundle": bundle.decode()} for bundle in bundles]
        question = {"key": keys.public.read_text(), "asked": asked}
        done = subprocess.run(
            [node, SCRIPT, packages], input=json.dumps(question).encode(), capture_output=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr.decode()
        verdicts: list[str | None] = json.loads(done.stdout)
        return verdicts

    return run


def rebuilt(bundle: bytes, **changes: str) -> bytes:
    """Return the bundle with other fields in its envelope; `sig` is a field of its signature."""
    document = json.loads(bundle)
    envelope = document["dsseEnvelope"]
    if "sig" in changes:
        envelope["signatures"][0]["sig"] = changes.pop("sig")
    envelope.update(changes)
    return json.dumps(document).encode()


def envelope(bundle: bytes) -> dict[str, str]:
    fields = json.loads(bundle)["dsseEnvelope"]
    return {"payload": fields["payload"], "sig": fields["signatures"][0]["sig"]}


def flipped(text: str) -> str:
    """Flip one bit in the middle of what `text` encodes."""
    content = bytearray(base64.b64decode(text))
    content[len(content) // 2] ^= 1
    return base64.b64encode(content).decode()


def test_it_accepts_every_bundle_of_a_release(judge: Judge, released: Released) -> None:
    bundles = released.bundles()
    assert len(bundles) == 5
    assert judge(released.keys, bundles) == [None] * len(bundles)


def test_it_rejects_another_key(judge: Judge, released: Released, other_keys: Keys) -> None:
    assert None not in judge(other_keys, released.bundles())


def test_it_rejects_what_was_changed(judge: Judge, released: Released) -> None:
    first, second, *_ = released.bundles()
    wrong = [
        rebuilt(first, payload=flipped(envelope(first)["payload"])),
        rebuilt(first, payload=envelope(second)["payload"]),
        rebuilt(first, payloadType="application/json"),
        rebuilt(first, sig=flipped(envelope(first)["sig"])),
        rebuilt(first, sig=envelope(second)["sig"]),
    ]
    assert judge(released.keys, [rebuilt(first), *wrong])[0] is None
    assert None not in judge(released.keys, wrong)
