"""Documents as files: a line per key and per suite, so that a change reads well; numbers cut to a few places."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from prefilter.eval.document.json_parts import P, Part, PartError, plain, read

SUITES = "suites"


def read_file(kind: type[P], path: Path) -> P:
    """Read a document from a file; raises OSError, and PartError where it is of another kind."""
    return read(kind, load(path))


def load(path: Path) -> object:
    """Return what a JSON file holds; raises OSError, and PartError where it is no JSON."""
    try:
        raw: object = json.loads(path.read_bytes())
    except ValueError:
        raise PartError(f"{path.name}: not JSON") from None
    return raw


def cut(part: P, digits: int) -> P:
    """Return a part with every number cut to `digits` decimal places."""
    return read(type(part), _cut(plain(part), digits))


def lines(part: Part) -> str:
    """Return a document as JSON with a line per key and per suite."""
    rows = []
    for key, value in plain(part).items():
        if key == SUITES and isinstance(value, Mapping):
            suites = (f"  {_json(name)}: {_json(own)}" for name, own in value.items())
            rows.append(f" {_json(key)}: {{\n" + ",\n".join(suites) + "\n }")
        else:
            rows.append(f" {_json(key)}: {_json(value)}")
    return "{\n" + ",\n".join(rows) + "\n}\n"


def _cut(value: object, digits: int) -> object:
    if isinstance(value, float):
        return round(value, digits)
    if isinstance(value, Mapping):
        return {key: _cut(own, digits) for key, own in value.items()}
    return [_cut(own, digits) for own in value] if isinstance(value, list | tuple) else value


def _json(value: object) -> str:
    return json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
