"""Which categories of the model behind a scores file are uncalibrated: a policy must not block on those alone.

The file says it, or its manifest; an older one says only the model's version, and the model that is here says it.
"""

from __future__ import annotations

from pathlib import Path

from prefilter.models.manifest import Manifest
from prefilter.models.registry import list_models, resolve
from prefilter.serving.bulk.redecision import model_version_of, uncalibrated_of


def uncalibrated_behind(scores: Path, *, model: str | None = None) -> tuple[str, ...] | None:
    """The uncalibrated categories of `model`, else of the one the file names; None lets the file itself say it."""
    if model is not None:
        return Manifest.load(resolve(model)).uncalibrated
    if not scores.is_file() or uncalibrated_of(scores) is not None:
        return None
    made_by = model_version_of(scores)
    for entry in list_models():
        if entry.version == made_by:
            return Manifest.load(entry.path).uncalibrated
    return None
