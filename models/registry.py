"""The registry: which models are in the store, and which of them is live.

A model is a folder with a manifest. `store/live.json` names the live one. A model is asked for by its name, by the path
of its folder, or not at all: then the environment's `PREFILTER_MODEL` decides, else the live one. Knows folders and
manifests; loads no model.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from prefilter.models.known_error import WRONG_USE, KnownError
from prefilter.models.manifest import MANIFEST, NAME, Manifest, ManifestError, verify

LIVE = "live.json"
VARIABLE = "PREFILTER_MODEL"


class RegistryError(KnownError, LookupError):
    """No such model, or no live one; the message says what was looked for."""

    exit_code = WRONG_USE


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model in the store. `stage`: `live` for the one served by default, else `candidate`."""

    name: str
    version: str
    stage: str
    path: Path


def store_dir() -> Path:
    """The folder of artefacts that comes with the package."""
    return Path(__file__).resolve().parent / "store"


def live_name(store: Path | None = None) -> str | None:
    """The live model's name, None where the store names none; `RegistryError` for a broken pointer."""
    path = (store or store_dir()) / LIVE
    if not path.is_file():
        return None
    try:
        name = json.loads(path.read_bytes())["live"]
    except (ValueError, KeyError, TypeError) as error:
        raise RegistryError(f"{path} does not name a live model") from error
    if not isinstance(name, str) or NAME.fullmatch(name) is None:
        raise RegistryError(f"{path} does not name a live model")
    return name


def list_models(store: Path | None = None) -> list[ModelEntry]:
    """Every model in the store by name; folders without a readable manifest are left out."""
    root = store or store_dir()
    live = live_name(root)
    entries = []
    for path in sorted(root.glob(f"*/{MANIFEST}")) if root.is_dir() else []:
        try:
            manifest = Manifest.load(path.parent)
        except ManifestError:
            continue
        name = path.parent.name
        entries.append(
            ModelEntry(name, manifest.version, "live" if name == live else "candidate", path.parent)
        )
    return entries


def resolve(model: str | Path | None = None, *, store: Path | None = None) -> Path:
    """The folder of a model: by name, by path, or the default one; raises `RegistryError`."""
    root = store or store_dir()
    asked: str | Path | None = model or os.environ.get(VARIABLE) or live_name(root)
    if asked is None:
        raise RegistryError(f"no live model: {root / LIVE} is missing; name a model or set {VARIABLE}")
    if isinstance(asked, str) and NAME.fullmatch(asked) is not None and (root / asked / MANIFEST).is_file():
        return root / asked
    path = Path(asked)
    if (path / MANIFEST).is_file():
        return path.resolve()
    raise RegistryError(f"no model {str(asked)!r}: neither a name in {root} nor a folder with a {MANIFEST}")


def verify_model(model: str | Path | None = None, *, store: Path | None = None) -> Manifest:
    """Check every file of a model against its manifest; raises `RegistryError` or `ManifestError`."""
    return verify(resolve(model, store=store))
