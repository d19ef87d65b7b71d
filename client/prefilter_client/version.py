"""The client's version, the single place from which the package and its distribution read it."""

from __future__ import annotations

VERSION = "0.1.0"
USER_AGENT = f"prefilter-client/{VERSION}"
