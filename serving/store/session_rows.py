"""Console sessions and failed log-ins as rows. Tokens, addresses and key prefixes are kept as keyed digests only.

Failures are counted in the database, so that the limit holds across workers, and before a key is looked at, so that
many attempts at once are all counted.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, case, delete, literal, select, update

from prefilter.serving.store.column_types import Instant
from prefilter.serving.store.database import insert_new
from prefilter.serving.store.key_rows import KeyRow, by_id
from prefilter.serving.store.tables import keys, login_attempts, sessions


def add(conn: Connection, *, digest: str, key_id: str, now: datetime, expires_at: datetime) -> None:
    """Store a session."""
    conn.execute(
        sessions.insert().values(digest=digest, key_id=key_id, created_at=now, expires_at=expires_at)
    )


def owner(conn: Connection, digest: str, *, now: datetime) -> KeyRow | None:
    """Return the unrevoked key a living session belongs to."""
    key_id = conn.execute(
        select(sessions.c.key_id)
        .join(keys, keys.c.id == sessions.c.key_id)
        .where(sessions.c.digest == digest, sessions.c.expires_at > now, keys.c.revoked_at.is_(None))
    ).scalar_one_or_none()
    return None if key_id is None else by_id(conn, key_id)


def end(conn: Connection, digest: str) -> None:
    """Remove one session."""
    conn.execute(delete(sessions).where(sessions.c.digest == digest))


def end_all(conn: Connection, key_id: str) -> None:
    """Remove every session of a key."""
    conn.execute(delete(sessions).where(sessions.c.key_id == key_id))


def count_attempt(
    conn: Connection, bucket: str, *, now: datetime, window_start: datetime
) -> tuple[int, datetime]:
    """Count one attempt; returns the running window's attempts with this one, and its beginning."""
    conn.execute(insert_new(conn, login_attempts).values(bucket=bucket, failures=0, since=now))
    stale = login_attempts.c.since <= window_start
    row = conn.execute(
        update(login_attempts)
        .where(login_attempts.c.bucket == bucket)
        .values(
            failures=case((stale, 1), else_=login_attempts.c.failures + 1),
            since=case((stale, literal(now, Instant())), else_=login_attempts.c.since),
        )
        .returning(login_attempts.c.failures, login_attempts.c.since)
    ).one()
    return row.failures, row.since


def forgive_attempt(conn: Connection, bucket: str) -> None:
    """Take one counted attempt back: it was no failure."""
    counted = (login_attempts.c.bucket == bucket, login_attempts.c.failures > 0)
    conn.execute(update(login_attempts).where(*counted).values(failures=login_attempts.c.failures - 1))


def purge(conn: Connection, *, now: datetime, window_start: datetime) -> None:
    """Remove what has expired."""
    conn.execute(delete(sessions).where(sessions.c.expires_at <= now))
    conn.execute(delete(login_attempts).where(login_attempts.c.since <= window_start))
