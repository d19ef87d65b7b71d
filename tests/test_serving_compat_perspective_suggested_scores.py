"""What the Perspective door keeps, and what it must not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text as sql

from perspective_client import CANARY, analyze, failure, kept, recorded, suggest
from prefilter.serving.audit import chain
from prefilter.serving.store import case_rows, outside_label_rows
from serving_client import Service, service


@pytest.fixture
def running(sqlite_url: str, tmp_path: Path) -> Iterator[Service]:
    with service(sqlite_url, tmp_path) as started:
        yield started


def test_do_not_store_keeps_nothing_that_comes_from_the_text(database_url: str, tmp_path: Path) -> None:
    with service(database_url, tmp_path) as running:
        store = running.app.state.parts.store
        text, context = f"{CANARY} threat=0.5", {"entries": [{"text": f"{CANARY} above"}]}
        asked = {"context": context, "spanAnnotations": True, "doNotStore": True, "communityId": CANARY}
        assert analyze(running, text, **asked).status_code == 200
        assert recorded(running) == [("review", None)]
        traces = ("kanarienvogel", store.digest(text), store.digest(f"{CANARY} above", kind="context"))
        assert [trace for trace in traces if trace in kept(running)] == []
        analyze(running, text, context=context)
        assert [trace for trace in traces if trace not in kept(running)] == []


def test_do_not_store_leaves_no_byte_in_the_database_files(running: Service, sqlite_url: str) -> None:
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    analyze(running, f"{CANARY} threat=0.5", doNotStore=True)
    suggest(running, CANARY)
    assert b"kanarienvogel" not in b"".join(part.read_bytes() for part in path.parent.glob(f"{path.name}*"))


def test_a_suggested_score_is_an_outside_label_beside_a_digest(database_url: str, tmp_path: Path) -> None:
    with service(database_url, tmp_path) as running:
        store = running.app.state.parts.store
        span = {"begin": 0, "end": 4, "score": {"value": 0.25, "type": "PROBABILITY"}}
        scores = {"INSULT": {"summaryScore": {"value": 1}, "spanScores": [span]}, "THREAT": {"summaryScore": {}}}
        asked = {"attributeScores": scores, "communityId": "c\x00", "languages": ["en"], "clientToken": "t"}
        answer = suggest(running, CANARY, **asked).json()
        assert isinstance(answer.pop("detectedLanguages"), list)
        assert answer == {"clientToken": "t", "requestedLanguages": ["en"]}
        with store.read() as conn:
            labels = outside_label_rows.of_text(conn, store.digest(CANARY))
            entry = chain.page(store, action="label.suggested", limit=1)[0]
            assert conn.execute(sql("SELECT count(*) FROM labels")).scalar_one() == 0
            assert case_rows.find(conn, labels[0].id) is None
        assert sorted((x.attribute, x.value, x.span_begin, x.span_end) for x in labels if x.span_end is None) == [
            ("INSULT", 1.0, None, None), ("THREAT", 0.0, None, None),
        ]  # fmt: skip
        assert [(x.value, x.span_begin, x.span_end) for x in labels if x.span_end] == [(0.25, 0, 4)]
        assert {(x.key_name, x.community_id) for x in labels} == {("pipeline one", "c\x00")}
        assert [x.languages for x in labels] == [["en"]] * 3
        assert (entry.actor, entry.body) == ("pipeline one", {"labels": 3, "attributes": ["INSULT", "THREAT"]})
        assert "kanarienvogel" not in kept(running)
        assert chain.verify(store).ok


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ({}, "Missing attribute_scores"),
        ({"INSULT": {}}, "Missing a score for attribute INSULT"),
        ({"SPAM": {"summaryScore": {"value": 1}}}, "Unknown requested attribute: SPAM."),
        ({"INSULT": {"summaryScore": {"value": 1.5}}}, "A score of attribute INSULT is not a probability"),
        ({"INSULT": {"spanScores": [{"begin": 1, "end": 6, "score": {"value": 1}}]}}, "A span of attribute INSULT"),
        ({"INSULT": {"spanScores": [{"begin": {}, "end": 1, "score": {}}]}}, "A span of attribute INSULT"),
        ({"INSULT": {"spanScores": [{"end": 1}]}}, "Missing a score for a span of attribute INSULT"),
        ({"INSULT": {"spanScores": [{"end": 1}] * 257}}, "At most 256 span_scores"),
        ({"INSULT": {"summaryScore": {"value": 1, "type": "RAW"}}}, "Requested score type is not supported"),
    ],
)
def test_a_suggestion_that_cannot_be_meant_is_refused(running: Service, scores: dict[str, Any], message: str) -> None:
    assert failure(suggest(running, "calm!", attributeScores=scores))[2].startswith(message)
    assert failure(suggest(running, " "))[2] == "Comment must be non-empty."
