"""A real, small scorer for the tests of serving: the scores are written in the text, as `threat=0.7 any=0.6`.

Scores in the context count too, and each named score of the text is a span.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from prefilter.models.labels import HEADS
from prefilter.models.scored import Evidence, Scored
from prefilter.models.text.context import check_context, given_context, unsupported
from prefilter.models.text.normalisation import check_text

NAMED_SCORE = re.compile(r"\b([a-z_]+)=([01](?:\.\d+)?)")


@dataclass(frozen=True)
class Spoken:
    """A text ready to be scored: a window runs from one `|` to the next."""

    windows: tuple[str, ...]
    text: str
    language: str | None
    context: object

    @property
    def tokens(self) -> int:
        """One token a word, the context's too."""
        return len(f"{self.context or ''} {self.text}".replace("|", " ").split())


class SpokenScorer:
    """Scores a text by the `head=score` words in it; every other head gets 0.01."""

    model_version = "spoken-1"
    categories = HEADS[:-1]
    uncalibrated = ("illicit",)

    def __init__(self, *, reads_context: bool = True) -> None:
        """Start with nothing seen and nobody held back."""
        self.reads_context = reads_context
        self.seen: list[object] = []
        self.ran: list[str] = []
        self.release = threading.Event()
        self.entered = threading.Event()

    def self_test(self) -> None:
        """Answer like a scorer that is well."""

    def certificate_for(self, edges: Mapping[str, float]) -> str | None:
        """The certificate of the one policy that has one: for edges of 0.25 on threat alone."""
        return "spoken" if edges == {"threat": 0.25} else None

    def score_one(self, text: object, **beside: Any) -> Scored:
        """Score one text: prepare it, run its windows, conclude."""
        found = self.prepare(text, **beside)
        if isinstance(found, Scored):
            return found
        return self.conclude(found, [self.run(window) for window in found.windows])

    def prepare(
        self, text: object, *, certificate: str | None = None, keep: bool = True, **beside: Any
    ) -> Spoken | Scored:
        """Cut a text into windows at `|`; `obvious` is cleared where a certificate allows it."""
        language, context = beside.pop("language", None), beside.pop("context", None)
        assert not beside, "a scorer is asked for nothing else"
        self.seen.append(text)
        error = check_text(text) or check_context(context)
        if error is None and certificate is not None and "obvious" in str(text):
            return Scored(dict.fromkeys(HEADS, np.float32(0.001)), stage="fast", language="en")
        if error is None and isinstance(text, str):
            return Spoken(tuple(text.split("|")), text, language, context)
        return self._concluded(text, language=language, context=context)

    def run(self, window: str) -> str:
        """Run one window; `stuck` blocks until released, `faulty` raises."""
        self.ran.append(window)
        self.entered.set()
        if "stuck" in window:
            assert self.release.wait(30)
        if "faulty" in window:
            raise RuntimeError(f"cannot score {window}")
        return window

    def conclude(self, prepared: Spoken, runs: Sequence[str]) -> Scored:
        """Score what was said in the windows, which must all have been run, in order."""
        assert tuple(runs) == prepared.windows
        return self._concluded(prepared.text, language=prepared.language, context=prepared.context)

    def _concluded(self, text: object, *, language: str | None, context: object) -> Scored:
        """`foreign` cannot be read."""
        error = check_text(text) or check_context(context)
        answered = given_context(context)
        if error is None and answered is not None and not self.reads_context:
            error = unsupported()
        if error is not None:
            return self._scored({}, str(text), error=error)
        assert isinstance(text, str)
        if "foreign" in text or language == "xx":
            return self._scored({}, text, unscored="unreadable_language")
        named = {head: float(score) for head, score in NAMED_SCORE.findall(f"{answered or ''} {text}")}
        scores = {head: np.float32(named.get(head, 0.01)) for head in HEADS}
        read = len((answered or "").split())
        spans = tuple(
            Evidence(found[1], found.start(), found.end(), 0.9) for found in NAMED_SCORE.finditer(text)
        )
        return self._scored(scores, text, spans=spans, context_seen=min(read, 2), context_total=read)

    def score(self, texts: Sequence[object], **columns: Sequence[object] | None) -> list[Scored]:
        """Score in order; a column, such as `languages`, has a value a text."""
        beside: list[dict[str, object]] = [{} for _ in texts]
        for name, column in columns.items():
            for row, value in zip(beside, column or [None] * len(texts), strict=True):
                row[name.removesuffix("s")] = value
        return [self.score_one(text, **row) for text, row in zip(texts, beside, strict=True)]

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
