"""Measure signing without a key, in a local Sigstore whose log takes a second for each entry.

    python tests/bench/sign.py [--rounds N]

Writes its section of ``docs/benchmarks.md``; exit code 1 where a goal is missed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

import releasing  # noqa: E402 - the folders above come first
from bench.harness import machine  # noqa: E402 - as above
from bench.page import publish  # noqa: E402 - as above
from local_sigstore import FULCIO, REKOR_1, REKOR_2, LocalSigstore, github, serving, write  # noqa: E402 - as above
from weighlock.intoto import Statement, Subject  # noqa: E402 - as above
from weighlock.oci import Digest  # noqa: E402 - as above
from weighlock.signing.keyless.signer import KeylessSigner  # noqa: E402 - as above
from weighlock.signing.keyless.trust import Trust  # noqa: E402 - as above
from weighlock.stages import Context  # noqa: E402 - as above
from weighlock.stages.release import Inputs, run  # noqa: E402 - as above

TITLE = "Signing without a key"
STATEMENTS = 8
SECONDS = 3.0
LATENCY = 1.0  # seconds


@dataclass(frozen=True)
class Row:
    """What one round took: seconds, and requests to Fulcio and to Rekor."""

    seconds: float
    certificates: int
    entries: int


def sign(folder: Path, version: int) -> Row:
    """Sign the statements with a certificate of their own."""
    with serving(LocalSigstore()) as sigstore:
        signer = KeylessSigner(Trust(write(sigstore, folder, rekor=[version])), lambda: sigstore.token(github()))
        sigstore.latency |= {REKOR_1: LATENCY, REKOR_2: LATENCY}
        statements = [
            Statement((Subject(str(number), Digest.of(b"m")),), "https://example.org/p", {}).encode()
            for number in range(STATEMENTS)
        ]
        begun = time.monotonic()
        signer.sign(statements)
        return Row(time.monotonic() - begun, sigstore.count(FULCIO), _entries(sigstore))


def release(folder: Path, version: int) -> Row:
    """Release a small model from a folder to a layout."""
    with serving(LocalSigstore()) as sigstore:
        config = write(sigstore, folder, rekor=[version])
        token = sigstore.token_file(folder / "token", github())
        model = releasing.make_model(folder / "tiny")
        sigstore.latency |= {REKOR_1: LATENCY, REKOR_2: LATENCY}
        begun = time.monotonic()
        done = run(
            Inputs(model, f"oci:{folder}/out:v1", identity_token_file=token, trust_config=config, cache=False),
            Context(),
        )
        if not done.passed:
            raise RuntimeError(done.text())
        return Row(time.monotonic() - begun, sigstore.count(FULCIO), _entries(sigstore))


def _entries(sigstore: LocalSigstore) -> int:
    return sigstore.count(REKOR_1) + sigstore.count(REKOR_2)


def main() -> int:
    """Measure, write the section, and tell whether the goals are reached."""
    parser = argparse.ArgumentParser(description="Measure signing without a key.")
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    lines, met = ["| | seconds | certificates | log entries | goal |", "|---|---:|---:|---:|---|"], True
    for version in (1, 2):
        for name, work, limit in (
            (f"{STATEMENTS} statements, Rekor v{version}", sign, SECONDS),
            (f"`release` of a small model, Rekor v{version}", release, None),
        ):
            rows = []
            for _ in range(rounds):
                with tempfile.TemporaryDirectory() as folder:
                    rows.append(work(Path(folder), version))
            seconds = statistics.median(row.seconds for row in rows)
            certificates = max(row.certificates for row in rows)
            good = certificates == 1 and (limit is None or max(row.seconds for row in rows) < limit)
            met &= good
            goal = "one certificate" + (f", < {limit:g} s" if limit else "") + (": met" if good else ": **missed**")
            lines.append(f"| {name} | {seconds:.2f} | {certificates} | {rows[0].entries} | {goal} |")
    words = f"{machine()}; medians of {rounds} rounds. Each entry takes the log a second; nothing else takes any."
    publish(TITLE, "\n".join([words, "", *lines]))
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
