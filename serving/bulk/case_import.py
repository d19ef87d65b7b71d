"""Opens cases for the rows to review of a scores file, once each, however often it is run.

The scores file holds no text, so the texts are read again from the inputs, row by row beside the scores; a
file that is not the one scored is refused before anything is opened. Decisions, cases and their audit entry
are one transaction per batch, so a run that is stopped leaves whole batches, and the next one opens the
rest. Rows under a policy that is not enforced are defer-only on paper: they open no case.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

from prefilter.models.labels import HEADS
from prefilter.serving.audit.decision_entry import append_decisions
from prefilter.serving.auth import Principal
from prefilter.serving.bulk.bulk_errors import InputUnreadable, WrongRequest
from prefilter.serving.bulk.read.input_files import Input, find_inputs, fingerprint, look_into
from prefilter.serving.bulk.read.input_rows import Columns, Row
from prefilter.serving.bulk.read.row_readers import read_rows
from prefilter.serving.bulk.write.run_manifest import read_identity
from prefilter.serving.bulk.write.scores_file import read_scores
from prefilter.serving.policy.policy import Outcome
from prefilter.serving.store import Store, new_id
from prefilter.serving.store.case_rows import Span
from prefilter.serving.store.database import serialise
from prefilter.serving.store.decision_rows import DecisionRow, insert_many
from prefilter.serving.triage import NewCase, Triage

BATCH_CASES = 200


@dataclass(slots=True)
class Opened:
    """How an import ended: cases opened now, and rows to review that had one already."""

    opened: int = 0
    known: int = 0

    def to_line(self) -> str:
        """Return one line for people."""
        return f"{self.opened} cases opened, {self.known} were there already"


def import_cases(
    scores: Path,
    inputs: Sequence[str | Path],
    columns: Columns,
    *,
    store: Store,
    triage: Triage,
    actor: Principal,
) -> Opened:
    """Open the cases of `scores`; raises InputUnreadable where `inputs` are not what was scored."""
    if not scores.is_file():
        raise WrongRequest(f"{scores}: no such file", field=str(scores))
    found = find_inputs(inputs)
    for source in found:
        look_into(source, columns)
    if not _is_made_of(scores, found):
        for _ in _to_review(scores, read_rows(found, columns)):
            pass  # every row is compared before the first case is opened
    deferred = _to_review(scores, read_rows(found, columns))
    total = Opened()
    while batch := list(islice(deferred, BATCH_CASES)):
        opened = _open_batch(batch, store=store, triage=triage, actor=actor)
        total.opened += opened
        total.known += len(batch) - opened
    return total


def _to_review(scores: Path, rows: Iterator[Row]) -> Iterator[tuple[dict[str, Any], Row]]:
    """Yield each output row to review beside the input row it came from."""
    values = (row for table in read_scores(scores) for row in table.to_pylist())
    for number, (value, row) in enumerate(zip_longest(values, rows)):
        if value is None or row is None or value["id"] != row.id:
            raise InputUnreadable(
                f"row {number} of {scores} is not row {number} of the input", field=str(scores)
            )
        if value["outcome"] == Outcome.REVIEW.value and value["enforced"] is not False:
            if row.error is not None:
                raise InputUnreadable(
                    f"row {number} of the input has no text; another column?", field=str(scores)
                )
            yield value, row


def _is_made_of(scores: Path, inputs: list[Input]) -> bool:
    """Whether the fingerprints in the scores file are those of the inputs; False where it has none.

    Raises InputUnreadable where they differ, WrongRequest where the rows are in no order.
    """
    identity = read_identity(scores) or {}
    if identity.get("ordered") is False:
        raise WrongRequest(f"{scores}: its rows stand in no order; score with --ordered", field=str(scores))
    made_of = identity.get("inputs")
    if made_of is None:
        return False
    if made_of != [fingerprint(source).to_json() for source in inputs]:
        raise InputUnreadable(f"{scores} was not made of these inputs, as they are now", field=str(scores))
    return True


def _open_batch(
    batch: list[tuple[dict[str, Any], Row]], *, store: Store, triage: Triage, actor: Principal
) -> int:
    """Open the cases of one batch that are not open yet, and return how many those are."""
    now = datetime.now(UTC)
    cases = [_case(value, row, store=store, actor=actor, now=now) for value, row in batch]
    with store.begin() as conn:
        serialise(conn, "cases.import")
        fresh = triage.intake.unopened(conn, cases)
        if not fresh:
            return 0
        decisions = [case.decision for case in fresh]
        insert_many(conn, decisions)
        opened = len(set(triage.intake.open_cases(conn, fresh)))
        counted = {Outcome.REVIEW.value: len(decisions)}
        append_decisions(conn, decisions, outcomes=counted, cases=opened, actor=actor.name, at=now)
    return opened


def _case(value: dict[str, Any], row: Row, *, store: Store, actor: Principal, now: datetime) -> NewCase:
    because = json.loads(value["because"])
    name, _, version = value["policy_version"].rpartition("@")
    decision = DecisionRow(
        id=new_id("dec"),
        item_id=row.id,
        text_digest=store.digest(row.text),
        context_digest=None if row.context is None else store.digest(row.context, kind="context"),
        outcome=value["outcome"],
        because=because,
        scores={head: score for head in HEADS if (score := value[f"score_{head}"]) is not None},
        enforced=value["enforced"] is not False,
        policy_name=name,
        policy_version=int(version),
        model_version=value["model_version"],
        key_name=actor.name,
        created_at=now,
        source=row.source,
        language=row.language,
        unscored=next((ground["reason"] for ground in because if "category" not in ground), None),
        stage=value["stage"] or "full",
        tokens_seen=value["tokens_seen"] or 0,
        tokens_total=value["tokens_total"] or 0,
    )
    spans: tuple[Span, ...] = ()
    if value["evidence_start"] is not None:
        spans = (Span(value["evidence_start"], value["evidence_end"], because[0].get("category")),)
    return NewCase(decision, row.text, spans, row.language, row.context)
