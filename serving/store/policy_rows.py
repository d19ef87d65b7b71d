"""Policy versions as rows: bodies never change, statuses do; one version per name is active."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from prefilter.serving.store.database import insert_once, serialise
from prefilter.serving.store.tables import PolicyStatus, policies, policy_activations


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRow:
    """One version of a policy: who wrote it, why, and whether it decides."""

    name: str
    version: int
    status: str  # draft | active | retired
    body: Mapping[str, Any]
    reason: str
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """One change of the active version."""

    name: str
    version: int
    previous_version: int | None
    rolled_back: bool
    at: datetime
    actor: str
    reason: str


_ACTIVATION = [policy_activations.c[name] for name in Activation.__slots__]


def lock(conn: Connection, name: str) -> None:
    """Let one change of a policy at a time happen."""
    serialise(conn, f"policy:{name}")


def add(
    conn: Connection, *, name: str, version: int, body: Mapping[str, object], reason: str, by: str, at: datetime
) -> bool:
    """Store a draft; returns False where that version exists."""
    return insert_once(
        conn,
        policies,
        name=name,
        version=version,
        status=PolicyStatus.DRAFT,
        body=dict(body),
        reason=reason,
        created_by=by,
        created_at=at,
    )


def next_version(conn: Connection, name: str) -> int:
    """Return the number a new version gets; hold `lock` first."""
    newest = conn.execute(select(func.max(policies.c.version)).where(policies.c.name == name)).scalar_one()
    return 1 + (newest or 0)


def find(conn: Connection, name: str, version: int) -> PolicyRow | None:
    """Return one version."""
    row = conn.execute(
        select(policies).where(policies.c.name == name, policies.c.version == version)
    ).one_or_none()
    return None if row is None else PolicyRow(**row._mapping)


def active(conn: Connection, name: str) -> PolicyRow | None:
    """Return the version that decides now."""
    row = conn.execute(
        select(policies).where(policies.c.name == name, policies.c.status == PolicyStatus.ACTIVE)
    ).one_or_none()
    return None if row is None else PolicyRow(**row._mapping)


def versions(conn: Connection, name: str) -> list[PolicyRow]:
    """Return all versions of a policy, newest first."""
    statement = select(policies).where(policies.c.name == name).order_by(policies.c.version.desc())
    return [PolicyRow(**row._mapping) for row in conn.execute(statement)]


def every(conn: Connection) -> list[PolicyRow]:
    """Return all versions of all policies, by name, newest first."""
    statement = select(policies).order_by(policies.c.name, policies.c.version.desc())
    return [PolicyRow(**row._mapping) for row in conn.execute(statement)]


def activate(conn: Connection, change: Activation) -> None:
    """Make a version the active one and record it; hold `lock` first."""
    named = policies.c.name == change.name
    conn.execute(
        update(policies)
        .where(named, policies.c.status == PolicyStatus.ACTIVE)
        .values(status=PolicyStatus.RETIRED)
    )
    conn.execute(
        update(policies).where(named, policies.c.version == change.version).values(status=PolicyStatus.ACTIVE)
    )
    values = {name: getattr(change, name) for name in Activation.__slots__}
    conn.execute(insert(policy_activations).values(values))


def activations(conn: Connection, name: str) -> list[Activation]:
    """Return the changes of the active version, newest first."""
    statement = select(*_ACTIVATION).where(policy_activations.c.name == name)
    return [
        Activation(**row._mapping)
        for row in conn.execute(statement.order_by(policy_activations.c.seq.desc()))
    ]
