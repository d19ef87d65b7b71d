"""The schedule: heads warm up first, the encoder follows, both end at nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from prefilter.classifier.recipe import Recipe
from prefilter.classifier.training.schedule import rate_factor

RECIPE = Recipe.from_mapping(
    {"name": "a", "version": "1", "warmup_tokens": 1000, "total_tokens": 10_000}, base=Path()
)


@pytest.mark.parametrize(("tokens", "part", "factor"), [(0, "head", 0.0), (100, "head", 1.0), (999, "encoder", 0.0)])
def test_the_encoder_waits_until_the_heads_are_warm(tokens: int, part: str, factor: float) -> None:
    assert rate_factor(tokens, RECIPE, part=part) == pytest.approx(factor, abs=1e-3)


@pytest.mark.parametrize("part", ["head", "encoder"])
def test_the_rate_ends_at_nothing(part: str) -> None:
    assert rate_factor(5000, RECIPE, part=part) > rate_factor(9000, RECIPE, part=part) > 0
    assert rate_factor(10_000, RECIPE, part=part) == pytest.approx(0.0)
