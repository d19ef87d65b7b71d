"""Opaque ids with a prefix that says what they name; later ones sort later, so that indexes stay dense."""

from __future__ import annotations

import secrets
import time


def new_id(prefix: str) -> str:
    """Return a fresh id such as `cas_0198f3a1c2d4…`: 48 bits of milliseconds, then 64 random bits."""
    return f"{prefix}_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(8)}"
