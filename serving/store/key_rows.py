"""API keys as rows: a keyed digest, never the key. A name stays taken once revoked, since it names a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, bindparam, or_, select, update

from prefilter.serving.store.database import insert_once
from prefilter.serving.store.tables import keys


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """What is known of a key. `prefix` is the public part people recognise it by."""

    id: str
    name: str
    role: str
    prefix: str
    created_at: datetime
    created_by: str
    rotated_at: datetime | None
    revoked_at: datetime | None


_ROW = [keys.c[name] for name in KeyRow.__slots__]

# Asked by every request: built once, since building it takes longer than running it.
_BY_DIGEST = select(*_ROW).where(
    or_(
        keys.c.digest == bindparam("digest", type_=keys.c.digest.type),
        and_(
            keys.c.previous_digest == bindparam("digest", type_=keys.c.digest.type),
            keys.c.previous_expires_at > bindparam("now", type_=keys.c.previous_expires_at.type),
        ),
    ),
    keys.c.revoked_at.is_(None),
)


def add(
    conn: Connection, *, key_id: str, name: str, role: str, prefix: str, digest: str, at: datetime, by: str
) -> bool:
    """Store a new key; returns False where the name is taken."""
    return insert_once(
        conn,
        keys,
        id=key_id,
        name=name,
        role=role,
        prefix=prefix,
        digest=digest,
        created_at=at,
        created_by=by,
    )


def everyone(conn: Connection) -> list[KeyRow]:
    """Return all keys, revoked ones too, by age."""
    return [
        KeyRow(**row._mapping) for row in conn.execute(select(*_ROW).order_by(keys.c.created_at, keys.c.id))
    ]


def by_name(conn: Connection, name: str) -> KeyRow | None:
    """Return the key of a person or pipeline."""
    row = conn.execute(select(*_ROW).where(keys.c.name == name)).one_or_none()
    return None if row is None else KeyRow(**row._mapping)


def by_id(conn: Connection, key_id: str) -> KeyRow | None:
    """Return a key by its id."""
    row = conn.execute(select(*_ROW).where(keys.c.id == key_id)).one_or_none()
    return None if row is None else KeyRow(**row._mapping)


def by_digest(conn: Connection, digest: str, *, now: datetime) -> KeyRow | None:
    """Return the unrevoked key with this digest, or with it as its previous one still in grace."""
    row = conn.execute(_BY_DIGEST, {"digest": digest, "now": now}).one_or_none()
    return None if row is None else KeyRow(**row._mapping)


def revoke(conn: Connection, key_id: str, *, at: datetime) -> bool:
    """Make a key invalid; returns False where it already was."""
    alive = (keys.c.id == key_id, keys.c.revoked_at.is_(None))
    values = {"revoked_at": at, "previous_digest": None, "previous_expires_at": None}
    return conn.execute(update(keys).where(*alive).values(values)).rowcount == 1


def rotate(
    conn: Connection, key_id: str, *, prefix: str, digest: str, at: datetime, old_until: datetime | None
) -> bool:
    """Give a key a new secret; the old one lives until `old_until`, or ends now. False where revoked."""
    values = {
        "prefix": prefix,
        "previous_digest": None if old_until is None else keys.c.digest,
        "previous_expires_at": old_until,
        "digest": digest,
        "rotated_at": at,
    }
    alive = (keys.c.id == key_id, keys.c.revoked_at.is_(None))
    return conn.execute(update(keys).where(*alive).values(values)).rowcount == 1


def admin_exists(conn: Connection) -> bool:
    """Return whether an admin key was ever made."""
    return conn.execute(select(keys.c.id).where(keys.c.role == "admin").limit(1)).first() is not None
