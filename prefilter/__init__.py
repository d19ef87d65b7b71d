"""The package: `from prefilter import Scorer`, and the command `prefilter`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prefilter.models.scorer import Scorer

__all__ = ["Scorer"]


def __getattr__(name: str) -> object:
    """`Scorer`, imported when asked for: the command line starts without onnxruntime."""
    if name == "Scorer":
        from prefilter.models.scorer import Scorer

        return Scorer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
