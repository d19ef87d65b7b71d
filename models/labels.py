"""The categories of harm and the heads of a model, in their one fixed order.

A category is one harm of the taxonomy; `any` is the model's one-number verdict of harm, a head of its own. Names only:
knows nothing of models or data.
"""

from __future__ import annotations

CATEGORIES: tuple[str, ...] = (
    "toxicity",
    "profanity",
    "insult",
    "harassment",
    "hate",
    "threat",
    "violence",
    "sexual",
    "self_harm",
    "illicit",
)
ANY = "any"
HEADS: tuple[str, ...] = (*CATEGORIES, ANY)
