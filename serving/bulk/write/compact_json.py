"""Compact JSON, as it is written into a scores file: text unescaped, floats unrounded, no NaN."""

from __future__ import annotations

import json

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def to_json(value: object) -> str:
    """Return `value` as JSON; raises ValueError for a number that JSON does not know."""
    return _ENCODER.encode(value)
