"""Chunks: how many rows travel to a scorer at once, and the scorer that runs in this very process.

A chunk is bounded in rows and in characters, so that memory stays bounded and no worker waits long for
another. The size of a chunk changes no score: the scorer runs one row at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from prefilter.serving.bulk.rows import Row

if TYPE_CHECKING:
    from prefilter.models.scored import Scored

CHUNK_ROWS = 32
CHUNK_CHARS = 100_000


class Text(NamedTuple):
    """What travels to a scorer: the text, its declared language, and what it answers."""

    text: str
    language: str | None = None
    context: str | None = None


class ScorerLike(Protocol):
    """What is needed of a Scorer."""

    def score(
        self,
        texts: Sequence[object],
        *,
        languages: Sequence[str | None] | None = None,
        contexts: Sequence[object] | None = None,
    ) -> list[Scored]:
        """Score texts in order."""
        ...


class Pool(Protocol):
    """Scores chunks of texts, in order, reading only a little ahead."""

    def score(self, chunks: Iterable[list[Text]]) -> Iterator[list[Scored]]:
        """Yield one list of results per chunk."""
        ...


class InProcess:
    """The pool of one: this process."""

    def __init__(self, scorer: ScorerLike) -> None:
        """Keep the scorer."""
        self._scorer = scorer

    def score(self, chunks: Iterable[list[Text]]) -> Iterator[list[Scored]]:
        """Yield one list of results per chunk."""
        for chunk in chunks:
            yield score_chunk(self._scorer, chunk)


def cut_chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Yield the rows in chunks, in order."""
    chunk: list[Row] = []
    chars = 0
    for row in rows:
        chunk.append(row)
        chars += len(row.text) + len(row.context or "")
        if len(chunk) == CHUNK_ROWS or chars >= CHUNK_CHARS:
            yield chunk
            chunk, chars = [], 0
    if chunk:
        yield chunk


def score_chunk(scorer: ScorerLike, chunk: list[Text]) -> list[Scored]:
    """Score one chunk; a row that fails is `internal_fault` (REVIEW), the others keep their scores."""
    try:
        return scorer.score(
            [row.text for row in chunk],
            languages=[row.language for row in chunk],
            contexts=[row.context for row in chunk],
        )
    except Exception:
        if len(chunk) == 1:
            return [faulted()]
        return [scored for single in chunk for scored in score_chunk(scorer, [single])]


def faulted() -> Scored:
    """Return what stands for a valid text that could not be scored."""
    from prefilter.models.scored import Scored

    return Scored(scores={}, unscored="internal_fault")
