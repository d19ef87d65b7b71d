"""The policies that are shipped: TOML files in the folder `presets` beside this file."""

from __future__ import annotations

from pathlib import Path

from prefilter.serving.policy.policy import Policy
from prefilter.serving.policy.policy_file import load_toml

PRESETS: tuple[str, ...] = ("model-output", "pretraining-corpus", "monitor-only")
_FOLDER = Path(__file__).parent / "presets"


def load_preset(name: str) -> Policy:
    """Load one of PRESETS; raises KeyError for another name."""
    if name not in PRESETS:
        raise KeyError(name)
    return load_toml(_FOLDER / f"{name}.toml")
