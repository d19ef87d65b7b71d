"""Cases from files: one for each row to review, once, with the text that was scored and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bulk_fakes import MILD, artefact, spoken_run, write_lines
from prefilter.serving.audit import chain
from prefilter.serving.auth import COMMAND_LINE, Principal
from prefilter.serving.bulk.bulk_errors import InputUnreadable, WrongRequest
from prefilter.serving.bulk.case_import import Opened, import_cases
from prefilter.serving.bulk.read.input_rows import Columns
from prefilter.serving.bulk.write.run_manifest import manifest_path
from prefilter.serving.settings import Settings
from prefilter.serving.store import Store
from prefilter.serving.triage import Judgement, RevealedText, Triage

__all__ = ["artefact"]
READER = Principal("key_1", "ann", "reviewer")


class Place:
    """An open database, and a scored file with three rows to review."""

    def __init__(self, folder: Path, artefact: Path, store: Store, policy: str = "model-output") -> None:
        texts = [MILD, "threat=0.6", "hate=0.99", "threat=0.6", "foreign", " "]
        self.input = write_lines(
            folder / "in.jsonl", *({"text": t, "id": f"r{n}"} for n, t in enumerate(texts))
        )
        self.scores = folder / f"{policy}.parquet"
        spoken_run(artefact, [self.input], self.scores, policy=policy)
        self.store, self.triage = store, Triage(store, Settings())

    def load(self, **other: Any) -> Opened:
        """Import the cases."""
        given: dict[str, Any] = {"scores": self.scores, "inputs": [self.input], "columns": Columns(), **other}
        return import_cases(**given, store=self.store, triage=self.triage, actor=COMMAND_LINE)

    def waiting(self) -> dict[str, int]:
        """How many cases wait in each queue that has some."""
        return {queue.name: queue.open for queue in self.triage.queues(READER) if queue.open}


@pytest.fixture
def place(tmp_path: Path, artefact: Path, store: Store) -> Place:
    """See Place."""
    return Place(tmp_path, artefact, store)


def test_every_row_to_review_stands_in_its_queue_once_however_often_it_is_imported(place: Place) -> None:
    assert (place.load(), place.load()) == (Opened(3, 0), Opened(0, 3))
    assert place.waiting() == {"threat": 2, "unscored": 1}
    assert chain.verify(place.store).entries == 1


def test_a_reviewer_gets_the_text_of_the_row_masked_first(place: Place) -> None:
    place.load()
    case = place.triage.claim("threat", READER)
    assert case is not None
    assert (case.text_masked, case.category) == ("█" * 10, "threat")
    assert place.triage.reveal(case.case_id, READER, lease_token=case.lease.token) == RevealedText("threat=0.6")


def test_a_case_from_a_file_holds_what_its_text_answers(place: Place, artefact: Path, tmp_path: Path) -> None:
    columns = Columns(context="prompt")
    rows = [{"text": "threat=0.6", "id": "r1", "prompt": prompt} for prompt in ("why", "how", "why")]
    pairs, scores = write_lines(tmp_path / "pairs.jsonl", *rows), tmp_path / "pairs.parquet"
    spoken_run(artefact, [pairs], scores, columns=columns)
    given: dict[str, Any] = {"scores": scores, "inputs": [pairs], "columns": columns}
    assert (place.load(**given).opened, place.load(**given)) == (2, Opened(0, 3))
    case = place.triage.claim("threat", READER)
    assert case is not None
    revealed = place.triage.reveal(case.case_id, READER, lease_token=case.lease.token)
    assert revealed in (RevealedText("threat=0.6", "why"), RevealedText("threat=0.6", "how"))


def test_a_resolved_case_is_not_opened_again(place: Place) -> None:
    place.load()
    case = place.triage.claim("unscored", READER)
    assert case is not None
    said = Judgement(labels={}, outcome="allow")
    token = case.lease.token
    place.triage.review(case.case_id, READER, lease_token=token, judgement=said, idempotency_key="1")
    assert place.load() == Opened(0, 3)
    assert place.waiting() == {"threat": 2}


def test_a_policy_under_monitoring_opens_no_cases(tmp_path: Path, artefact: Path, store: Store) -> None:
    assert Place(tmp_path, artefact, store, policy="monitor-only").load() == Opened(0, 0)


def test_another_input_is_refused_before_a_case_is_opened(place: Place, tmp_path: Path) -> None:
    other = write_lines(tmp_path / "other.jsonl", *({"text": MILD, "id": f"r{n}"} for n in range(6)))
    with pytest.raises(InputUnreadable, match="not made of these inputs"):
        place.load(inputs=[other])
    assert place.waiting() == {}


def test_rows_in_no_order_open_no_cases(place: Place, artefact: Path, tmp_path: Path) -> None:
    output = tmp_path / "scores.jsonl"
    spoken_run(artefact, [place.input], output)
    said = manifest_path(output).read_text(encoding="utf-8").replace('"ordered": true', '"ordered": false')
    manifest_path(output).write_text(said, encoding="utf-8")
    with pytest.raises(WrongRequest, match="no order"):
        place.load(scores=output)


def test_lines_without_a_fingerprint_are_compared_by_their_ids(
    place: Place, artefact: Path, tmp_path: Path
) -> None:
    spoken_run(artefact, [place.input], tmp_path / "scores.jsonl")
    manifest_path(tmp_path / "scores.jsonl").unlink()
    with pytest.raises(InputUnreadable, match="row 0 of"):
        place.load(scores=tmp_path / "scores.jsonl", columns=Columns(id="none"))
    short = write_lines(tmp_path / "short.jsonl", *place.input.read_bytes().splitlines()[:5])
    with pytest.raises(InputUnreadable, match="row 5 of"):
        place.load(scores=tmp_path / "scores.jsonl", inputs=[short])
    assert place.waiting() == {}


def test_a_scores_file_that_is_not_there_is_told(place: Place, tmp_path: Path) -> None:
    with pytest.raises(WrongRequest, match="no such file"):
        place.load(scores=tmp_path / "none.parquet")
