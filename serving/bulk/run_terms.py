"""The terms of a run: with which model, under which policy and how exactly rows are screened.

They travel as JSON to whatever process scores, which checks that the model it finds is the one meant.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from prefilter.models.manifest import MANIFEST, Manifest
from prefilter.serving.policy.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What decides a row's values beside the row itself. `exact`: the fast stage clears nothing.

    `repeats`: the file in which the processes of this run keep answers, and the secret it is keyed with (in
    hexadecimal), None for none. It changes no value.
    """

    model: Path
    model_version: str
    manifest_sha256: str
    uncalibrated: tuple[str, ...]
    policy: Policy
    exact: bool = False
    repeats: tuple[str, str] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, model: Path, policy: Policy, *, exact: bool = False) -> Self:
        """Read the model's manifest; raises ManifestError."""
        manifest = Manifest.load(model)
        return cls(
            model=model,
            model_version=manifest.version,
            manifest_sha256=hashlib.sha256((model / MANIFEST).read_bytes()).hexdigest(),
            uncalibrated=tuple(sorted(manifest.uncalibrated)),
            policy=policy,
            exact=exact,
        )

    def to_json(self) -> dict[str, object]:
        """Return the JSON shape that `from_json` reads."""
        policy = self.policy
        return {
            "model": str(self.model),
            "model_version": self.model_version,
            "manifest_sha256": self.manifest_sha256,
            "uncalibrated": list(self.uncalibrated),
            "policy": {"name": policy.name, "version": policy.version, "body": policy.to_body()},
            "exact": self.exact,
            "repeats": self.repeats,
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Read what `to_json` returned."""
        policy = body["policy"]
        return cls(
            model=Path(body["model"]),
            model_version=body["model_version"],
            manifest_sha256=body["manifest_sha256"],
            uncalibrated=tuple(body["uncalibrated"]),
            policy=Policy.from_body(policy["name"], policy["version"], policy["body"]),
            exact=body["exact"],
            repeats=None if body["repeats"] is None else tuple(body["repeats"]),
        )
