"""The policy as data: versioned and immutable, category to bands, read from and written as its JSON body.

Edges are compared with scores in float32, the precision scores are made and stored in: 0.3 as a score meets
0.3 as an edge, whichever file either came from. Bands are half-open, [low, high), and the last one includes
1.0. `decide.py` applies a policy to one row, `columns.py` to many; this file imports neither, nor any sibling.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from prefilter.models.known_error import WRONG_USE, KnownError
from prefilter.models.labels import HEADS

UNREADABLE: frozenset[str] = frozenset({"unreadable_language", "unreadable_script", "unknown_word_pieces"})
_BODY_KEYS = frozenset({"categories", "unreadable", "enforced", "sources", "streaming", "reason"})
_STREAMING_KEYS = frozenset({"max_unsafe_chars"})
MAX_UNSAFE_CHARS = 10_000
_BAND_KEYS = frozenset({"review", "block", "reason"})
_MAX_REASON_CHARS = 2_000
_MAX_SOURCES = 100
_UNWRITABLE = re.compile("[\x00\ud800-\udfff]")  # NUL and lone surrogates: no page and no file can show them


class PolicyError(KnownError, ValueError):
    """A policy body says something that cannot be a policy; `field` is the dotted path to it."""

    exit_code = WRONG_USE

    def __init__(self, message: str, *, field: str) -> None:
        """Keep the path of the field apart from the message."""
        super().__init__(f"{field}: {message}")
        self.message = message
        self.field = field


class Outcome(StrEnum):
    """What a policy says about an item, mildest first: the order of outcomes, which is written here only."""

    ALLOW = "allow"
    REVIEW = "review"  # abstain and defer to a person
    BLOCK = "block"

    @property
    def severity(self) -> int:
        """Its place in OUTCOMES; in columns, its code."""
        return OUTCOMES.index(self)


OUTCOMES: tuple[Outcome, ...] = tuple(Outcome)


@dataclass(frozen=True, slots=True)
class Bands:
    """One category's edges: [0, review) allow, [review, block) review, [block, 1] block; None: no band."""

    review: float | None
    block: float | None
    reason: str = field(default="", compare=False)

    def place(self, score: float) -> tuple[Outcome, tuple[float, float]]:
        """Return the outcome and the band [low, high) that the float32 `score` falls into."""
        outcome = Outcome.ALLOW
        if self.block is not None and score >= _float32(self.block):
            outcome = Outcome.BLOCK
        elif self.review is not None and score >= _float32(self.review):
            outcome = Outcome.REVIEW
        return outcome, self.band(outcome)

    def band(self, outcome: Outcome) -> tuple[float, float]:
        """Return the band [low, high) of an outcome; an empty one at 1.0 where it has none."""
        block = 1.0 if self.block is None else self.block
        if outcome is Outcome.BLOCK:
            return block, 1.0
        if outcome is Outcome.REVIEW:
            return 1.0 if self.review is None else self.review, block
        return 0.0, self.first_edge

    @property
    def first_edge(self) -> float:
        """The score from which this category no longer allows; 1.0 where it always does."""
        edges = [edge for edge in (self.review, self.block) if edge is not None]
        return min(edges, default=1.0)

    def to_body(self) -> dict[str, object]:
        """Return the JSON shape of these edges."""
        body: dict[str, object] = {"review": self.review, "block": self.block}
        if self.reason:
            body["reason"] = self.reason
        return body


@dataclass(frozen=True)
class Policy:
    """One immutable version of a policy: category → bands, with overrides per source (stream)."""

    name: str
    version: int
    categories: Mapping[str, Bands]
    unreadable: Outcome = Outcome.REVIEW
    enforced: bool = True
    sources: Mapping[str, Mapping[str, Bands]] = field(default_factory=lambda: MappingProxyType({}))
    reason: str = ""
    max_unsafe_chars: int = 0
    """Of a text screened while it is written: how much of the window it is cut for may have gone out."""

    @property
    def label(self) -> str:
        """`NAME@VERSION`."""
        return f"{self.name}@{self.version}"

    def bands_for(self, source: str | None) -> Mapping[str, Bands]:
        """Return the bands that hold for a source: the policy's own, overridden by the source's."""
        override = self.sources.get(source) if source is not None else None
        return self.categories if not override else {**self.categories, **override}

    def edges_for(self, source: str | None) -> dict[str, float]:
        """Return the score of each category from which a source's items are no longer allowed.

        Two policies with the same edges allow the same items, whatever they do with the others.
        """
        return {name: bands.first_edge for name, bands in self.bands_for(source).items()}

    def outcome_of_unscored(self, reason: str) -> Outcome:
        """Return the outcome of a valid text without scores: REVIEW, or `unreadable` where that is why."""
        return self.unreadable if reason in UNREADABLE else Outcome.REVIEW

    def to_body(self) -> dict[str, object]:
        """Return the JSON body that `from_body` reads back: everything but name and version."""
        body: dict[str, object] = {
            "categories": {name: bands.to_body() for name, bands in self.categories.items()},
            "unreadable": self.unreadable.value,
            "enforced": self.enforced,
            "reason": self.reason,
        }
        if self.max_unsafe_chars:
            body["streaming"] = {"max_unsafe_chars": self.max_unsafe_chars}
        if self.sources:
            body["sources"] = {
                source: {name: bands.to_body() for name, bands in overrides.items()}
                for source, overrides in self.sources.items()
            }
        return body

    @classmethod
    def from_body(cls, name: str, version: int, body: object) -> Policy:
        """Build a policy from its JSON body; raises PolicyError (a ValueError) with the wrong field."""
        if not isinstance(body, Mapping):
            raise PolicyError("must be an object", field="body")
        _refuse_unknown(body, _BODY_KEYS, at="")
        categories = _read_categories(body.get("categories"), at="categories")
        if not categories:
            raise PolicyError("needs at least one category", field="categories")
        enforced = body.get("enforced", True)
        if not isinstance(enforced, bool):
            raise PolicyError("must be true or false", field="enforced")
        return cls(
            name=name,
            version=version,
            categories=categories,
            unreadable=_read_unreadable(body.get("unreadable", Outcome.REVIEW.value)),
            enforced=enforced,
            sources=_read_sources(body.get("sources", {})),
            reason=_read_reason(body.get("reason", ""), at="reason"),
            max_unsafe_chars=_read_streaming(body.get("streaming", {})),
        )


@lru_cache(maxsize=4_096)
def _float32(edge: float) -> float:
    return float(np.float32(edge))


def _refuse_unknown(body: Mapping[object, object], known: Collection[str], *, at: str) -> None:
    for key in body:
        if key not in known:
            name = key if isinstance(key, str) and key.isidentifier() and len(key) <= 64 else "?"
            raise PolicyError("unknown field", field=f"{at}{name}")


def _read_categories(value: object, *, at: str) -> Mapping[str, Bands]:
    if not isinstance(value, Mapping):
        raise PolicyError("must be an object of category to bands", field=at)
    _refuse_unknown(value, HEADS, at=f"{at}.")
    return MappingProxyType({name: _read_bands(bands, at=f"{at}.{name}") for name, bands in value.items()})


def _read_bands(value: object, *, at: str) -> Bands:
    if not isinstance(value, Mapping):
        raise PolicyError('must be {"review": low, "block": high or null}', field=at)
    _refuse_unknown(value, _BAND_KEYS, at=f"{at}.")
    if "review" not in value and "block" not in value:
        raise PolicyError("needs review or block", field=at)
    review = _read_edge(value.get("review"), at=f"{at}.review")
    block = _read_edge(value.get("block"), at=f"{at}.block")
    if review is not None and block is not None and review > block:
        raise PolicyError("must not lie above block", field=f"{at}.review")
    return Bands(review, block, _read_reason(value.get("reason", ""), at=f"{at}.reason"))


def _read_edge(value: object, *, at: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise PolicyError("must be a number from 0 to 1, or null", field=at)
    return float(value)


def _read_unreadable(value: object) -> Outcome:
    if value not in (Outcome.REVIEW.value, Outcome.BLOCK.value):
        raise PolicyError("must be review or block: what cannot be read is never allowed", field="unreadable")
    return Outcome(str(value))


def _read_streaming(value: object) -> int:
    if not isinstance(value, Mapping):
        raise PolicyError('must be {"max_unsafe_chars": number}', field="streaming")
    _refuse_unknown(value, _STREAMING_KEYS, at="streaming.")
    chars = value.get("max_unsafe_chars", 0)
    if isinstance(chars, bool) or not isinstance(chars, int) or not 0 <= chars <= MAX_UNSAFE_CHARS:
        message = f"must be a whole number from 0 to {MAX_UNSAFE_CHARS}"
        raise PolicyError(message, field="streaming.max_unsafe_chars")
    return chars


def _read_sources(value: object) -> Mapping[str, Mapping[str, Bands]]:
    if not isinstance(value, Mapping):
        raise PolicyError("must be an object of source to categories", field="sources")
    if len(value) > _MAX_SOURCES:
        raise PolicyError(f"holds at most {_MAX_SOURCES} sources", field="sources")
    sources: dict[str, Mapping[str, Bands]] = {}
    for position, (source, overrides) in enumerate(value.items()):
        if not isinstance(source, str) or not 0 < len(source) <= 256:
            raise PolicyError("a source is a string of 1 to 256 characters", field=f"sources[{position}]")
        if _UNWRITABLE.search(source):
            raise PolicyError("holds a character that cannot be written", field=f"sources[{position}]")
        sources[source] = _read_categories(overrides, at=f"sources[{position}]")
    return MappingProxyType(sources)


def _read_reason(value: object, *, at: str) -> str:
    if not isinstance(value, str) or len(value) > _MAX_REASON_CHARS:
        raise PolicyError(f"must be a string of at most {_MAX_REASON_CHARS} characters", field=at)
    if _UNWRITABLE.search(value):
        raise PolicyError("holds a character that cannot be written", field=at)
    return value
