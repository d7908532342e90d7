"""A Sigstore on loopback: Fulcio with its CT log, Rekor version 1 and 2, a timestamp authority, and the tokens
of GitHub and GitLab.

In a test: ``with serving(LocalSigstore()) as sigstore``, `write` what clients have to know, give them a `token` or the
variables of a `job`, and put a `Fault` where something shall break. In another network: ``python -m local_sigstore``.
Nothing of the code under test is used here, and nothing of sigstore-python.
"""

from local_sigstore.issuer import COMMIT, GITHUB_ISSUER, Claims, github, gitlab, identity, person
from local_sigstore.service import FULCIO, REKOR_1, REKOR_2, TOKEN, TSA, Fault, LocalSigstore, serving
from local_sigstore.trust import signing_config, trust_config, trusted_root, write

__all__ = [
    "COMMIT",
    "FULCIO",
    "GITHUB_ISSUER",
    "REKOR_1",
    "REKOR_2",
    "TOKEN",
    "TSA",
    "Claims",
    "Fault",
    "LocalSigstore",
    "github",
    "gitlab",
    "identity",
    "person",
    "serving",
    "signing_config",
    "trust_config",
    "trusted_root",
    "write",
]
