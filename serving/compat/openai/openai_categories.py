"""OpenAI's 13 moderation categories: whose scores stand for each, and what that is worth (`openai_categories.toml`).

Scores in, scores out: no policy is chosen and nothing is read from a request here.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from typing_extensions import TypedDict

from prefilter.serving.policy.policy import Bands, Outcome

_FILE = Path(__file__).with_name("openai_categories.toml")


CategoryNote = TypedDict("CategoryNote", {"kind": str, "from": list[str], "quality": dict[str, object] | None})
"""What an answer says of a category: whose scores it has, and what they are worth, None where unmeasured."""


@dataclass(frozen=True, slots=True)
class OpenAICategory:
    """One of the 13: its name, the heads whose least score stands for it, `trained` or `derived`, its quality, and
    the heads of ours without a category that are marked here."""

    name: str
    heads: tuple[str, ...]
    stands_for: tuple[str, ...]
    kind: str
    quality: Mapping[str, object]

    def score(self, scores: Mapping[str, np.float32]) -> float:
        """Return the category's score in [0, 1]; 0.0 for a text without scores."""
        return float(min((scores.get(head, np.float32(0)) for head in self.heads), default=0.0))

    def flagged(self, scores: Mapping[str, np.float32], bands: Mapping[str, Bands]) -> bool:
        """Say whether a policy's bands do not allow it: each of its heads by its own band.

        A head for which the policy has no band allows everything.
        """
        return bool(scores) and all(
            head in bands and head in scores and bands[head].place(float(scores[head]))[0] is not Outcome.ALLOW
            for head in self.heads
        )

    def to_json(self) -> CategoryNote:
        """Return what an answer says of it: `{"kind", "from", "quality"}`; `quality` null where unmeasured."""
        return {"kind": self.kind, "from": list(self.heads), "quality": dict(self.quality) or None}


@lru_cache(maxsize=1)
def openai_categories() -> tuple[OpenAICategory, ...]:
    """Return the 13 categories, in the order of their names."""
    raw = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return tuple(
        OpenAICategory(
            entry["name"],
            tuple(entry["from"]),
            tuple(entry.get("stands_for", ())),
            entry["kind"],
            entry["quality"],
        )
        for entry in raw["category"]
    )


def marked(
    scores: Mapping[str, np.float32], bands: Mapping[str, Bands], because: Sequence[str | None]
) -> frozenset[str]:
    """Return which categories are true for a text that is not allowed, `because` of these heads.

    Those whose own heads are outside the bands; where there is none, the one that stands for the first head that
    has one, and for the verdict `any` the highest score. None for a text without scores: nobody knows.
    """
    own = frozenset(category.name for category in openai_categories() if category.flagged(scores, bands))
    if own or not scores:
        return own
    for head in because:
        for category in openai_categories():
            if head in category.stands_for:
                return frozenset({category.name})
    return frozenset({max(openai_categories(), key=lambda category: category.score(scores)).name})
