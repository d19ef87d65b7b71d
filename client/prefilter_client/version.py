"""The client's version, in the one place that the package and its distribution read it from."""

from __future__ import annotations

VERSION = "0.1.0"
USER_AGENT = f"prefilter-client/{VERSION}"
