"""The audit entry over decisions made together: one `decision.made`, with a digest that ties them to it.

Screening writes it for a request and an import of cases for a batch; attestation computes the digest again from the
stored rows. Knows no policy: how many had which outcome is counted by whoever decided.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime

from prefilter.serving.audit import chain
from prefilter.serving.store import Connection
from prefilter.serving.store.column_types import canonical
from prefilter.serving.store.decision_rows import DecisionRow


def append_decisions(
    conn: Connection,
    rows: Sequence[DecisionRow],
    *,
    outcomes: Mapping[str, int],
    cases: int,
    actor: str,
    at: datetime,
) -> None:
    """Append the entry over `rows`, which one policy and one model made, and `cases` cases opened of them."""
    first = rows[0]
    body = {
        "decisions": len(rows),
        "digest": digest_of(rows),
        "outcomes": dict(outcomes),
        "cases": cases,
        "policy": {"name": first.policy_name, "version": first.policy_version},
        "model_version": first.model_version,
    }
    chain.append(conn, actor=actor, action="decision.made", subject=first.id, body=body, at=at)


def digest_of(rows: Sequence[DecisionRow]) -> str:
    """Return the SHA-256 (hex) over the decisions of one request, as its audit entry carries it.

    Over what was decided and why, not over whose text it was, so that it still holds after an erasure.
    Order does not matter: rows are taken by id.
    """
    decided: list[object] = [
        [row.id, row.outcome, row.because, row.scores, row.policy_name, row.policy_version, row.model_version]
        for row in sorted(rows, key=lambda row: row.id)
    ]
    return hashlib.sha256(canonical(decided).encode("ascii")).hexdigest()
