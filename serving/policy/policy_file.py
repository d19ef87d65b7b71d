"""A policy in a file: TOML as people write it, or the JSON that `prefilter policy show NAME@VERSION` prints.

Knows nothing of presets, of active policies or of where a file was named.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from prefilter.serving.policy.policy import Policy, PolicyError


def load_toml(path: str | Path) -> Policy:
    """Load a policy from a TOML file: `name`, `version` (1 where absent) and the body's keys.

    Raises PolicyError naming the field, OSError where the file cannot be read.
    """
    path = Path(path)
    try:
        body = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise PolicyError("is not TOML", field=path.name) from None
    return _named({"name": path.stem, "version": 1, **body})


def load_export(path: Path) -> Policy:
    """Read the JSON of `prefilter policy show`; raises PolicyError naming the field."""
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise PolicyError("is neither TOML (by name) nor JSON", field=path.name) from None
    if not isinstance(body, dict):
        raise PolicyError("must be a JSON object", field=path.name)
    body.pop("status", None)
    return _named(body)


def _named(body: dict[str, object]) -> Policy:
    """Read a body that holds the policy's name and version beside its own keys."""
    name, version = body.pop("name", None), body.pop("version", None)
    if not isinstance(name, str) or not name:
        raise PolicyError("must be a string", field="name")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise PolicyError("must be a whole number from 1", field="version")
    return Policy.from_body(name, version, body)
