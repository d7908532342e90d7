"""Write the trust configuration of Sigstore's staging instance: ``python tools/staging.py FILE``."""

from __future__ import annotations

import sys
from pathlib import Path

from sigstore.models import ClientTrustConfig


def main() -> int:
    """Fetch it by TUF from the root that the library ships, and write it as JSON."""
    Path(sys.argv[1]).write_text(ClientTrustConfig.staging()._inner.to_json(), "utf-8")  # noqa: SLF001 - no other way out
    return 0


if __name__ == "__main__":
    sys.exit(main())
