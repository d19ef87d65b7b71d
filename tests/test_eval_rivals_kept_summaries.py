"""What stands beside the model: small summaries, compared on the same rows only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eval_samples import write_mixed
from fakes import build_artefact
from prefilter.eval.card.sections.comparison_sections import beside
from prefilter.eval.document import Measured, ResultsDocument, RivalSummary, plain, read
from prefilter.eval.document import summarise as summary_of
from prefilter.eval.judge.suite_judge import judge
from prefilter.eval.rivals.kept_summaries import BesideError, kept_summaries, read_summary, write_summary
from prefilter.eval.suites.suite_plan import Entry


def summarise(document: ResultsDocument, **said: str) -> dict[str, Any]:
    """The summary of a document in its plain form."""
    return plain(summary_of(read(Measured, plain(document)), **said))


@pytest.fixture
def document(tmp_path: Path) -> ResultsDocument:
    return judge([Entry(str(write_mixed(tmp_path)))], model=build_artefact(tmp_path / "model"))[0]


def test_a_summary_is_written_and_read_as_it_was(tmp_path: Path, document: ResultsDocument) -> None:
    summary = summarise(document, name="before", about="an older one")
    write_summary(tmp_path / "kept" / "before.json", read(RivalSummary, summary))
    again = plain(read_summary(tmp_path / "kept" / "before.json"))
    assert (again["summary"], again["about"]) == ("before", "an older one")
    assert again["suites"]["mixed"]["heads"]["toxicity"]["auprc"] == 1.0
    write_summary(tmp_path / "again.json", read(RivalSummary, again))
    assert plain(read_summary(tmp_path / "again.json")) == again


def test_the_comparison_shows_both_and_means_over_suites(document: ResultsDocument) -> None:
    before = summarise(document, name="before")
    before["suites"]["mixed"]["heads"]["any"]["auprc"] = 0.25
    section = beside(replace(document, beside=(read(RivalSummary, before),)))
    assert section is not None
    made, headline, auprc, *_ = section.tables
    assert made.rows[0][0] == "before"
    assert ("mean AUPRC of `any` (suites: 1)", "0.250", "1.000") in headline.rows
    assert next(row for row in auprc.rows if row[1] == "`any`")[2].startswith("0.250")


def test_other_rows_are_not_compared(document: ResultsDocument) -> None:
    before = summarise(document, name="before")
    before["suites"]["mixed"]["n"] = 39
    section = beside(replace(document, beside=(read(RivalSummary, before),)))
    assert section is not None
    assert not any(section.tables[1:])


def test_a_file_that_is_no_document_is_named(tmp_path: Path) -> None:
    (tmp_path / "odd.json").write_text('{"suites": 1}')
    with pytest.raises(BesideError, match=r"odd\.json: no results document"):
        read_summary(tmp_path / "odd.json")
    with pytest.raises(BesideError, match=r"gone\.json"):
        read_summary(tmp_path / "gone.json")


def test_the_kept_ones_are_small_and_say_what_they_are() -> None:
    found = [plain(own) for own in kept_summaries()]
    assert {"prefilter-en-1", "tf-idf + logistic regression"} <= {own["summary"] for own in found}
    assert all(own["about"] and own["command"] and own["suites"] for own in found)
