"""Label weights: how much a head, and the words people marked, count in the loss.

Knows examples and a recipe; what is weighted is `loss`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prefilter.classifier.corpus.examples import Examples
from prefilter.classifier.recipe import Recipe, SourceRule


def head_factors(examples: Examples) -> NDArray[np.float32]:
    """A loss factor per head, so that a head with few labels is not drowned: total weight ** -1/2, mean 1.

    A head without any label has factor 0.
    """
    total = (examples.weights * examples.share[:, None]).sum(axis=0)
    factors = np.where(total > 0, np.maximum(total, 1.0) ** -0.5, 0.0)
    balanced: NDArray[np.float32] = (factors / factors[total > 0].mean()).astype(np.float32)
    return balanced


def mark_weights(examples: Examples, recipe: Recipe) -> NDArray[np.float32]:
    """The weight [n, heads] of each example's marked words: its labels' weights times its source's `span_weight`."""
    rules = [recipe.sources.get(name, SourceRule()) for name in examples.source_names]
    by_source = np.array([rule.span_weight for rule in rules], dtype=np.float32)
    weights: NDArray[np.float32] = examples.weights * by_source[examples.source][:, None]
    return weights
