"""``python -m local_sigstore DIR [--rekor 1|2|both] [--no-tsa] [--claims FILE]``: serve until stdin closes.

Writes the trust configuration into DIR, then prints one line of JSON: ``url``, ``trust_config``, ``trusted_root``, and the
variables of a job (``environ``) that gets tokens with the claims in FILE, which is read anew for each token.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from local_sigstore import LocalSigstore, github, serving, write


def main() -> None:
    """Serve, as the module says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rekor", choices=["1", "2", "both"], default="both")
    parser.add_argument("--no-tsa", action="store_true")
    parser.add_argument("--claims", type=Path)
    words = parser.parse_args()
    with serving(LocalSigstore()) as sigstore:
        versions = {"1": (1,), "2": (2,), "both": (1, 2)}[words.rekor]
        answer = {
            "url": sigstore.url,
            "trust_config": str(write(sigstore, words.folder, rekor=versions, tsa=not words.no_tsa)),
            "trusted_root": str(words.folder / "trusted_root.jsonl"),
            "environ": sigstore.job(words.claims or github()),
        }
        print(json.dumps(answer), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
