"""The audit chain as rows, and its head. Appending locks the head, so entries are made one by one.

Knows no hash: what an entry's hash is made of is `audit.chain`.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from prefilter.serving.store.tables import audit, audit_head

# Part of every request: built once, since building them takes longer than running them.
_HEAD = select(audit_head.c.seq, audit_head.c.hash).where(audit_head.c.id == 1)
_HEAD_LOCKED = _HEAD.with_for_update()
_ADD = insert(audit)
_MOVE_HEAD = update(audit_head).where(audit_head.c.id == 1)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One event, in the past tense, tied to the one before it by its hash."""

    seq: int  # from 1, without gaps
    at: datetime
    actor: str
    action: str
    subject: str
    body: Mapping[str, Any]
    prev_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class AuditHead:
    """The newest entry's number and hash; (0, "000…") before the first."""

    seq: int
    hash: str


def head(conn: Connection, *, lock: bool = False) -> AuditHead:
    """Return the head; `lock` keeps other appenders waiting until this transaction ends."""
    seq, digest = conn.execute(_HEAD_LOCKED if lock else _HEAD).one()
    return AuditHead(seq, digest)


def add(conn: Connection, entry: AuditEntry) -> None:
    """Store an entry and move the head to it."""
    values: dict[str, Any] = {name: getattr(entry, name) for name in AuditEntry.__slots__}
    values["body"] = dict(entry.body)
    conn.execute(_ADD, values)
    conn.execute(_MOVE_HEAD, {"seq": entry.seq, "hash": entry.hash})


def stream(conn: Connection) -> Generator[AuditEntry, None, None]:
    """Yield every entry, oldest first; close it when stopping early."""
    statement = select(audit).order_by(audit.c.seq).execution_options(yield_per=1_000)
    with conn.execute(statement) as result:
        for row in result:
            yield AuditEntry(**row._mapping)


def has(conn: Connection, digest: str) -> bool:
    """Return whether an entry has this hash."""
    return conn.execute(select(audit.c.seq).where(audit.c.hash == digest).limit(1)).first() is not None


def newest(
    conn: Connection, *, before: int | None = None, action: str | None = None, limit: int = 100
) -> list[AuditEntry]:
    """Return entries, newest first, optionally below a number or of one action."""
    statement = select(audit).order_by(audit.c.seq.desc()).limit(limit)
    if before is not None:
        statement = statement.where(audit.c.seq < before)
    if action is not None:
        statement = statement.where(audit.c.action == action)
    return [AuditEntry(**row._mapping) for row in conn.execute(statement)]
