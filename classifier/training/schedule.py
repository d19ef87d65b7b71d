"""The schedule of the learning rate: linear warm-up, cosine decay, by word pieces seen.

The encoder does not move until the heads have seen `warmup_tokens`: gradients of untrained heads would only damage it.
Knows a recipe and a number of tokens.
"""

from __future__ import annotations

import math

from prefilter.classifier.recipe import Recipe


def rate_factor(tokens: int, recipe: Recipe, *, part: str) -> float:
    """The share of its highest rate at which a part (`head` or `encoder`) learns after so many tokens."""
    if part == "encoder":
        if tokens < recipe.warmup_tokens:
            return 0.0
        rise = 0.5 * recipe.warmup_tokens
        tokens_in, span = tokens - recipe.warmup_tokens, recipe.total_tokens - recipe.warmup_tokens
    else:
        rise, tokens_in, span = 0.1 * recipe.warmup_tokens, tokens, recipe.total_tokens
    return min(1.0, tokens_in / max(rise, 1.0)) * 0.5 * (1 + math.cos(math.pi * min(1.0, tokens_in / max(span, 1))))
