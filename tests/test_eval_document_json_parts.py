"""The results document: read and written by one reader and one writer, and nothing is lost on the way."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from prefilter.eval.document import (
    LEADING,
    Measured,
    Part,
    PartError,
    ResultsDocument,
    RivalSummary,
    lines,
    plain,
    read,
    read_file,
    stripped,
    summarise,
    widened,
)
from prefilter.eval.rivals.kept_summaries import FOLDER

CARD_DATA = Path(__file__).parent.parent / "docs" / "model.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place(Part):
    """A small part."""

    at: tuple[int, int]
    share: float | None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Named(Place):
    """A part of the small one's kind, which begins with its name."""

    name: str = field(metadata=LEADING)


def test_the_cards_data_is_written_as_it_was_read() -> None:
    assert lines(read_file(ResultsDocument, CARD_DATA)) == CARD_DATA.read_text(encoding="utf-8")


def test_the_kept_summaries_are_written_as_they_were_read() -> None:
    for path in FOLDER.glob("*.json"):
        assert lines(read_file(RivalSummary, path)) == path.read_text(encoding="utf-8")


def test_every_key_of_the_cards_data_has_a_field() -> None:
    document = read_file(ResultsDocument, CARD_DATA)
    assert plain(stripped(document)) == plain(document)


def test_a_document_of_another_version_loses_nothing() -> None:
    raw = {"at": [1, 2], "share": None, "later": {"x": [1]}, "note": "old"}
    place = read(Place, raw)
    assert (place.at, place.note) == ((1, 2), "old")
    assert plain(place) == raw
    assert plain(stripped(place)) == {"at": [1, 2], "share": None, "note": "old"}


def test_an_older_document_is_summarised_by_the_keys_that_a_summary_needs() -> None:
    row = {"n": 4, "positives": 2, "auprc": 0.5, "recall_at_1pct_fpr": 0.1, "ci95": {"auprc": [0.4, 0.6], "ece": None}}
    suite = {"n": 4, "role": "harm", "any": row, "categories": {}, "operating": {}, "odd": 1}
    told = {"model_version": "a@1", "created_at": "then", "command": "c", "suites": {"s": suite}, "subcategories": "?"}
    summary = plain(summarise(read(Measured, told), name="before"))
    kept = {**row, "ci95": {"auprc": [0.4, 0.6]}}
    assert summary["suites"] == {"s": {"n": 4, "heads": {"any": kept}, "operating": {}}}


def test_a_field_that_leads_is_written_first_and_one_without_value_is_left_out() -> None:
    named = widened(Named, Place(at=(1, 2), share=0.5), name="here")
    assert json.dumps(plain(named)) == '{"name": "here", "at": [1, 2], "share": 0.5}'


@pytest.mark.parametrize(
    ("raw", "complaint"),
    [
        ([], "place: not an object"),
        ({"at": [1, 2]}, "place: has no share"),
        ({"at": [1], "share": 0.5}, "place.at: not a list of 2"),
        ({"at": [1, "2"], "share": 0.5}, r"place.at\[1\]: of another type"),
        ({"at": [1, 2], "share": True}, "place.share: of another type"),
    ],
)
def test_what_is_of_another_shape_is_named_by_its_place(raw: object, complaint: str) -> None:
    with pytest.raises(PartError, match=f"^{complaint}$"):
        read(Place, raw, at="place")
