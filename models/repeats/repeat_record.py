"""A repeat's record: a `Scored` in bytes, small, without its text, and back to the bit.

Plain numbers by position; heads and reasons are numbers too, so the bytes mean something only with the model's list of
heads. An answer that may differ next time (a fault, a deadline), that costs less than a look-up (the fast stage, a
broken row) or whose language code has more than eight characters has no record. Knows no file and no key.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

import numpy as np

from prefilter.models.scored import FULL, Evidence, Scored
from prefilter.models.text.language import LANGUAGE, PIECES, SCRIPT

REASONS = (None, LANGUAGE, SCRIPT, PIECES)
"""Why a text has no scores, where the text is the reason; the first one means that it has scores."""
HEADER = struct.Struct("<BB8s5I")
"""Reason, number of evidence (spans are the rest), language, then tokens, windows and context."""
PART = struct.Struct("<BIId")
LANGUAGE_BYTES = 8


def pack(scored: Scored, heads: Sequence[str]) -> bytes | None:
    """The record of an answer, None where it is to have none. `heads`: the model's, in its order."""
    language = scored.language.encode("utf-8", "surrogatepass") if scored.language is not None else b""
    if (
        scored.stage != FULL
        or scored.unscored not in REASONS
        or len(scored.scores) != (len(heads) if scored.unscored is None else 0)
        or len(language) > LANGUAGE_BYTES
        or (scored.language is not None and (not language or language[-1:] == b"\0"))
    ):
        return None
    try:
        return b"".join(_packed(scored, language, heads))
    except struct.error:  # a number beyond 32 bits
        return None


def unpack(record: bytes, heads: Sequence[str]) -> Scored:
    """The answer that `pack` made `record` of."""
    reason, evidence, language, *counts = HEADER.unpack_from(record)
    scores = np.frombuffer(record, dtype="<f4", count=0 if reason else len(heads), offset=HEADER.size)
    parts = tuple(
        Evidence(heads[head], start, end, score)
        for head, start, end, score in PART.iter_unpack(record[HEADER.size + scores.nbytes :])
    )
    tokens_seen, tokens_total, windows, context_seen, context_total = counts
    return Scored(
        dict(zip(heads, scores, strict=True)) if len(scores) else {},
        unscored=REASONS[reason],
        tokens_seen=tokens_seen,
        tokens_total=tokens_total,
        windows=windows,
        evidence=parts[:evidence],
        language=language.rstrip(b"\0").decode("utf-8", "surrogatepass") or None,
        spans=parts[evidence:],
        context_seen=context_seen,
        context_total=context_total,
    )


def _packed(scored: Scored, language: bytes, heads: Sequence[str]) -> Iterator[bytes]:
    yield HEADER.pack(
        REASONS.index(scored.unscored),
        len(scored.evidence),
        language,
        scored.tokens_seen,
        scored.tokens_total,
        scored.windows,
        scored.context_seen,
        scored.context_total,
    )
    if scored.scores:
        yield np.array([scored.scores[head] for head in heads], dtype="<f4").tobytes()
    for part in (*scored.evidence, *scored.spans):
        yield PART.pack(heads.index(part.category), part.start, part.end, part.score)
