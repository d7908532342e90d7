"""Signing without a key: an identity token, a certificate of ten minutes, and a line in a transparency log (Sigstore).

`signer` signs and `verifier` verifies; `trust` knows which Sigstore, `tokens` whose name, `network` what can fail. The
only folder that imports `sigstore`, and only when something is signed or verified this way, as it takes a third of a
second; nothing of `sigstore._internal` is imported.
"""
