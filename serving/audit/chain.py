"""The audit trail: an append-only chain in which every entry carries the hash of the one before it.

One entry per request, appended as the last statement of its transaction, since appenders wait for each other
until they commit. An entry never holds item text or a reviewer's note: what is chained cannot be erased. The
chain shows that an entry was edited, removed or moved. Whoever may rewrite the whole database can also rewrite the
chain, so `AuditVerification.head` should be written down elsewhere: `holds` looks for it again. SQL is in `audit_rows`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from prefilter.serving.store import Connection, Store
from prefilter.serving.store import audit_rows as rows
from prefilter.serving.store.audit_rows import AuditEntry
from prefilter.serving.store.column_types import canonical

GENESIS = "0" * 64
_ACTION = re.compile(r"[a-z_]+\.[a-z_]+")


@dataclass(frozen=True, slots=True)
class AuditVerification:
    """What walking the chain found: how many entries, the first that does not fit, the newest hash."""

    ok: bool
    entries: int
    broken_at: int | None
    head: str = GENESIS


def append(
    conn: Connection,
    *,
    actor: str,
    action: str,
    subject: str,
    body: Mapping[str, object],
    at: datetime | None = None,
) -> AuditEntry:
    """Append one entry to the chain in the open writing transaction; do it last, it makes others wait.

    Raises ValueError for an action not shaped `noun.past_tense` and for a body that JSON cannot hold.
    """
    if not _ACTION.fullmatch(action):
        raise ValueError(f"an action is noun.past_tense, not {action!r}")
    last = rows.head(conn, lock=True)
    entry = AuditEntry(
        last.seq + 1, at or datetime.now(UTC), actor, action, subject, dict(body), last.hash, ""
    )
    entry = replace(entry, hash=entry_hash(entry))
    rows.add(conn, entry)
    return entry


def entry_hash(entry: AuditEntry) -> str:
    """Return the SHA-256 (hex) of an entry's canonical JSON, its own hash left out."""
    parts = {name: getattr(entry, name) for name in AuditEntry.__slots__ if name != "hash"}
    parts["at"] = entry.at.astimezone(UTC).isoformat(timespec="microseconds")
    return hashlib.sha256(canonical(parts).encode("ascii")).hexdigest()


def verify(store: Store) -> AuditVerification:
    """Walk the whole chain: edited, removed, moved and added entries and a cut tail are found."""
    previous, count = GENESIS, 0
    with store.read() as conn:
        last = rows.head(conn)
        with closing(rows.stream(conn)) as entries:
            try:
                for entry in entries:
                    count += 1
                    if entry.seq != count or entry.prev_hash != previous or entry_hash(entry) != entry.hash:
                        return AuditVerification(False, count, count, previous)
                    previous = entry.hash
            except (ValueError, TypeError, OverflowError):  # edited into what cannot even be read
                return AuditVerification(False, count + 1, count + 1, previous)
    if (last.seq, last.hash) != (count, previous):
        return AuditVerification(False, count, min(count, last.seq) + 1, previous)
    return AuditVerification(True, count, None, previous)


def holds(store: Store, head: str) -> bool:
    """Return whether a head written down earlier is still in the chain: if not, its end was cut or rewritten."""
    with store.read() as conn:
        return head == GENESIS or rows.has(conn, head)


def page(
    store: Store, *, before: int | None = None, action: str | None = None, limit: int = 100
) -> list[AuditEntry]:
    """Return up to `limit` entries, newest first; continue with `before` = the last one's seq."""
    with store.read() as conn:
        return rows.newest(conn, before=before, action=action, limit=limit)
