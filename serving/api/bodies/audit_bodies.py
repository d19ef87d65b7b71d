"""What the routes on the audit trail answer."""

from __future__ import annotations

from typing_extensions import TypedDict


class AuditFields(TypedDict):
    """One entry of the chain."""

    seq: int
    at: str
    actor: str
    action: str
    subject: str
    body: dict[str, object]
    prev_hash: str
    hash: str


class AuditAnswer(TypedDict):
    """Entries, newest first; `next_before`: where the next page begins, null where there is none."""

    entries: list[AuditFields]
    next_before: int | None


class VerificationAnswer(TypedDict):
    """Whether the chain is whole; `broken_at`: the first entry that does not fit."""

    ok: bool
    entries: int
    broken_at: int | None
    head: str
