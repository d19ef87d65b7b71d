"""A real, small scorer for the tests of serving: the scores stand in the text, as `threat=0.7 any=0.6`.

Scores that stand in the context count too, and each named score of the text is a span.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence

import numpy as np

from prefilter.models.context import check_context, given_context, unsupported
from prefilter.models.labels import HEADS
from prefilter.models.scored import Evidence, Scored
from prefilter.models.text import check_text

NAMED_SCORE = re.compile(r"\b([a-z_]+)=([01](?:\.\d+)?)")


class SpokenScorer:
    """Scores a text by the `head=score` words in it; every other head gets 0.01."""

    model_version = "spoken-1"
    categories = HEADS[:-1]
    uncalibrated = ("illicit",)

    def __init__(self, *, reads_context: bool = True) -> None:
        """Start with nothing seen and nobody held back."""
        self.reads_context = reads_context
        self.seen: list[object] = []
        self.release = threading.Event()
        self.entered = threading.Event()

    def self_test(self) -> None:
        """Answer like a scorer that is well."""

    def score_one(self, text: object, *, language: str | None = None, context: object = None) -> Scored:
        """Score one text; `faulty` raises, `stuck` blocks until released, `foreign` cannot be read."""
        self.seen.append(text)
        error = check_text(text) or check_context(context)
        answered = given_context(context)
        if error is None and answered is not None and not self.reads_context:
            error = unsupported()
        if error is not None:
            return self._scored({}, str(text), error=error)
        assert isinstance(text, str)
        self.entered.set()
        if "stuck" in text:
            assert self.release.wait(30)
        if "faulty" in text:
            raise RuntimeError(f"cannot score {text}")
        if "foreign" in text or language == "xx":
            return self._scored({}, text, unscored="unreadable_language")
        named = {head: float(score) for head, score in NAMED_SCORE.findall(f"{answered or ''} {text}")}
        scores = {head: np.float32(named.get(head, 0.01)) for head in HEADS}
        read = len((answered or "").split())
        spans = tuple(
            Evidence(found[1], found.start(), found.end(), 0.9) for found in NAMED_SCORE.finditer(text)
        )
        return self._scored(scores, text, spans=spans, context_seen=min(read, 2), context_total=read)

    def score(
        self,
        texts: Sequence[object],
        *,
        languages: Sequence[str | None] | None = None,
        contexts: Sequence[object] | None = None,
    ) -> list[Scored]:
        """Score in order."""
        rows = zip(texts, languages or [None] * len(texts), contexts or [None] * len(texts), strict=True)
        return [self.score_one(text, language=code, context=context) for text, code, context in rows]

    @staticmethod
    def _scored(scores: dict[str, np.float32], text: str, **verdict: object) -> Scored:
        tokens = len(text.split())
        top = max(scores, key=scores.__getitem__, default="any")
        evidence = (Evidence(top, 0, len(text), float(scores[top])),) if scores else ()
        parts: dict[str, object] = {"error": None, "unscored": None, **verdict}
        return Scored(
            scores=scores,
            tokens_seen=tokens,
            tokens_total=tokens,
            windows=1,
            stage="full",
            evidence=evidence,
            language="en",
            **parts,  # type: ignore[arg-type]
        )
