"""The manifest: what a model version is, and the sha256 of every file it consists of.

Nothing of an artefact is used before its bytes match: `read` hands out a file's bytes only after hashing
those same bytes, so that a file swapped between check and use is never loaded. Plain JSON, no pickle. Knows
the files' names and digests, not what is in them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from prefilter.models.atomic_file import partial_path, write_atomically
from prefilter.models.known_error import KnownError

FORMAT = 1
MANIFEST = "manifest.json"
MODEL, TOKENIZER, CALIBRATION, CARD = "model.onnx", "tokenizer.json", "calibration.json", "README.md"
FAST = "fast.npz"
REQUIRED = (MODEL, TOKENIZER, CALIBRATION)
UNMEASURED = frozenset({"name", "version", "created_at", "files", "parents", "fast"})
"""Fields that change no score and no span, so that a measurement outlives their change."""
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
DIGEST = re.compile(r"[0-9a-f]{64}")


class ManifestError(KnownError, ValueError):
    """An artefact differs from its manifest; the message names the file."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """One model version.

    `files` maps each file's name to its sha256; `calibration_mix` is the prevalence per category that the
    scores are calibrated to; `uncalibrated` lists the heads whose scores are no probabilities; `window`
    holds `length`, `overlap` and `context` in word pieces, the last the most that is read of a context
    (absent or 0: nothing is). `spans` maps each head that gives spans to the log-odds of the output
    `evidence` from which on a piece is marked. `fast` tells of the fast stage (see `models.fast`), where there
    is one: `outputs`, what its numbers are, and `certificates`, without which it clears nothing.
    """

    name: str
    version: str
    created_at: str
    categories: tuple[str, ...]
    heads: tuple[str, ...]
    uncalibrated: tuple[str, ...]
    encoder: str
    languages: tuple[str, ...]
    window: dict[str, int]
    files: dict[str, str] = field(default_factory=dict)
    training_sources: tuple[Mapping[str, object], ...] = ()
    metrics: Mapping[str, object] = field(default_factory=dict)
    parents: tuple[str, ...] = ()
    calibration_mix: dict[str, float] = field(default_factory=dict)
    spans: dict[str, float] = field(default_factory=dict)
    fast: Mapping[str, object] = field(default_factory=dict)

    @property
    def context(self) -> int:
        """The most word pieces of a context that the model reads; 0 where it cannot use one."""
        return self.window.get("context", 0)

    @property
    def fast_outputs(self) -> tuple[str, ...]:
        """What the numbers of the fast stage are: heads, then verdicts; none where there is no fast stage."""
        found = self.fast.get("outputs", ())
        return tuple(map(str, found)) if isinstance(found, list | tuple) else ()

    @property
    def certificates(self) -> tuple[Mapping[str, object], ...]:
        """The certificates of the fast stage, as they were issued."""
        found = self.fast.get("certificates", ())
        if not isinstance(found, list | tuple) or not all(isinstance(body, Mapping) for body in found):
            raise ManifestError(f"{self.name}: the certificates of the fast stage are not a list of tables")
        return tuple(found)

    @property
    def scores_digest(self) -> str:
        """What two artefacts share that give every text the same scores: network, tokenizer and calibration."""
        return hashlib.sha256("".join(self.files[name] for name in REQUIRED).encode("ascii")).hexdigest()

    @property
    def measured_digest(self) -> str:
        """What two artefacts share of which every measurement is the same: all but name, date and fast stage."""
        told = {name: value for name, value in dataclasses.asdict(self).items() if name not in UNMEASURED}
        told["scores"] = self.scores_digest
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode("utf-8")).hexdigest()

    @classmethod
    def load(cls, folder: Path) -> Manifest:
        """The manifest of the artefact in `folder`; raises `ManifestError`. Checks no other file."""
        path = folder / MANIFEST
        try:
            document = json.loads(path.read_bytes())
        except OSError as error:
            raise ManifestError(f"{path}: cannot be read") from error
        except ValueError as error:
            raise ManifestError(f"{path}: not JSON") from error
        if not isinstance(document, dict) or document.pop("format", None) != FORMAT:
            raise ManifestError(f"{path}: not a manifest of format {FORMAT}")
        known = {f.name: f for f in dataclasses.fields(cls)}
        values = {name: _typed(path, known[name], value) for name, value in document.items() if name in known}
        try:
            manifest = cls(**values)
        except TypeError as error:
            raise ManifestError(f"{path}: a field is missing") from error
        manifest._check(path)
        return manifest

    def _check(self, path: Path) -> None:
        if NAME.fullmatch(self.name) is None:
            raise ManifestError(f"{path}: {self.name!r} is no name of a model")
        for name, digest in self.files.items():
            if PurePosixPath(name).name != name or name in ("..", ".", MANIFEST) or "\\" in name:
                raise ManifestError(f"{path}: {name!r} is no plain file name")
            if not isinstance(digest, str) or DIGEST.fullmatch(digest) is None:
                raise ManifestError(f"{path}: {name} has no sha256")
        for name in REQUIRED:
            if name not in self.files:
                raise ManifestError(f"{path}: {name} is not listed")
        if not {"length", "overlap"} <= self.window.keys():
            raise ManifestError(f"{path}: window has no length and overlap")
        if not all(type(size) is int and size >= 0 for size in self.window.values()):
            raise ManifestError(f"{path}: window holds whole numbers from 0 on")
        if set(self.spans) - set(self.heads) or not all(map(_finite, self.spans.values())):
            raise ManifestError(f"{path}: spans maps heads to finite numbers")

    def read(self, folder: Path, name: str) -> bytes:
        """The bytes of a listed file, after they matched its sha256; raises `ManifestError`."""
        path = folder / name
        if name not in self.files:
            raise ManifestError(f"{path}: not listed in the manifest")
        if path.is_symlink():
            raise ManifestError(f"{path}: a link, not a file")
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ManifestError(f"{path}: cannot be read") from error
        if hashlib.sha256(data).hexdigest() != self.files[name]:
            raise ManifestError(f"{path}: sha256 differs from the manifest's")
        return data

    def write(self, folder: Path) -> Manifest:
        """Write the manifest with the digests of all files that lie in `folder`; returns what was written."""
        files = {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.iterdir())
            if path.is_file() and path.name not in (MANIFEST, partial_path(Path(MANIFEST)).name)
        }
        complete = dataclasses.replace(self, files=files)
        complete._check(folder / MANIFEST)
        document = {"format": FORMAT, **dataclasses.asdict(complete)}
        text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
        write_atomically(folder / MANIFEST, text.encode())
        return complete


def load(folder: Path) -> Manifest:
    """The manifest of the artefact in `folder`; raises `ManifestError`."""
    return Manifest.load(folder)


def verify(folder: Path) -> Manifest:
    """Check every file of the artefact in `folder`; raises `ManifestError` naming the first that differs."""
    manifest = Manifest.load(folder)
    for name in manifest.files:
        manifest.read(folder, name)
    return manifest


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _typed(path: Path, known: dataclasses.Field[Any], value: object) -> Any:
    """`value` as the field wants it: lists become tuples; a wrong kind is a `ManifestError`."""
    kind = str(known.type)
    wanted = list if kind.startswith("tuple") else dict if kind.startswith(("dict", "Mapping")) else str
    if not isinstance(value, wanted):
        raise ManifestError(f"{path}: {known.name} has the wrong type")
    return tuple(value) if isinstance(value, list) else value
