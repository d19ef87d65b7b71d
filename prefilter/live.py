"""The pointer to the live model, moved: `live.json` in the store names the live model and those before it.

Reading it is the registry's; only a person moves it, by `prefilter model promote` and `rollback`. A model
whose files differ from its manifest never becomes live.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from prefilter.models.manifest import MANIFEST, NAME
from prefilter.models.registry import LIVE, RegistryError, live_name, store_dir, verify_model

KEPT = 20


def set_live(name: str, *, store: Path | None = None) -> str | None:
    """Make `name` live and return what was before. Raises RegistryError or ManifestError: nothing changes."""
    root = store or store_dir()
    if NAME.fullmatch(name) is None or not (root / name / MANIFEST).is_file():
        raise RegistryError(f"no model {name!r} in {root}")
    verify_model(name, store=root)
    before = live_name(root)
    if before != name:
        earlier = [*_earlier(root), *([before] if before else [])][-KEPT:]
        _write(root, {"live": name, "before": earlier})
    return before


def go_back(*, store: Path | None = None) -> tuple[str, str | None]:
    """Make the model before the live one live again; returns it and the one it replaces."""
    root = store or store_dir()
    earlier = _earlier(root)
    if not earlier:
        raise RegistryError(f"{root / LIVE} names no model before the live one")
    verify_model(earlier[-1], store=root)
    replaced = live_name(root)
    _write(root, {"live": earlier[-1], "before": earlier[:-1]})
    return earlier[-1], replaced


def _earlier(root: Path) -> list[str]:
    try:
        names = json.loads((root / LIVE).read_bytes()).get("before", [])
    except (OSError, ValueError, AttributeError):
        return []
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _write(root: Path, pointer: dict[str, Any]) -> None:
    partial = root / f".{LIVE}.partial"
    with partial.open("w", encoding="utf-8") as file:
        json.dump(pointer, file)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    partial.replace(root / LIVE)
