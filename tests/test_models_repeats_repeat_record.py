"""A repeat's record: an answer in bytes and back, to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefilter.models.labels import HEADS
from prefilter.models.repeats.repeat_record import REASONS, pack, unpack
from prefilter.models.scored import Evidence, Scored

PARTS = st.builds(
    Evidence,
    st.sampled_from(HEADS),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.floats(0, 1),
)
COUNTS = {name: st.integers(0, 2**32 - 1) for name in ("tokens_seen", "tokens_total", "windows", "context_seen")}
ANSWERS = st.builds(
    Scored,
    st.lists(st.floats(0, 1, width=32), min_size=len(HEADS), max_size=len(HEADS)).map(
        lambda scores: dict(zip(HEADS, map(np.float32, scores), strict=True))
    ),
    evidence=st.lists(PARTS, max_size=3).map(tuple),
    spans=st.lists(PARTS, max_size=40).map(tuple),
    language=st.sampled_from([None, "en", "und", "zh-hant"]),
    **COUNTS,
)


@given(ANSWERS)
def test_a_record_holds_an_answer_to_the_bit(scored: Scored) -> None:
    record = pack(scored, HEADS)
    assert record is not None
    found = unpack(record, HEADS)
    assert found == scored
    assert {head: score.tobytes() for head, score in found.scores.items()} == {
        head: score.tobytes() for head, score in scored.scores.items()
    }


@pytest.mark.parametrize("reason", REASONS[1:])
def test_what_makes_a_text_unreadable_is_kept_too(reason: str) -> None:
    unread = Scored({}, unscored=reason, tokens_total=7, language="fr")
    record = pack(unread, HEADS)
    assert record is not None
    assert unpack(record, HEADS) == unread
