"""The tables, as SQLAlchemy sees them; `serving/migrations` makes them. A test compares the two.

Statuses are spelled here once. Item text and its context are in one table, `case_texts`; every other table has a keyed
digest.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    UniqueConstraint,
    text,
)

from prefilter.models.labels import HEADS
from prefilter.serving.store.column_types import AnyText, Instant, ItemText, Json, Word


class CaseStatus(StrEnum):
    """What has become of a case so far."""

    OPEN = "open"  # waits in its category's queue
    LEASED = "leased"  # a reviewer holds it until lease_expires_at; after that it counts as open
    ESCALATED = "escalated"  # waits in the queue `escalated` for a lead
    RESOLVED = "resolved"  # closed by a review, or by an erasure


class PolicyStatus(StrEnum):
    """Whether a policy version decides."""

    DRAFT = "draft"  # written, never active
    ACTIVE = "active"  # decides now; one per name
    RETIRED = "retired"  # was active; can be rolled back to


def _id() -> Column[str]:
    """An opaque id, `ids.new_id`."""
    return Column("id", Word(40), primary_key=True)


def _id_of(name: str, column: str, **more: Any) -> Column[str]:
    """The id of a row of another table."""
    return Column(name, Word(40), ForeignKey(column), **more)


def _index_where(where: str, name: str, *columns: str, unique: bool = False) -> Index:
    """An index of some rows only, the same ones on SQLite and PostgreSQL."""
    return Index(name, *columns, unique=unique, sqlite_where=text(where), postgresql_where=text(where))


metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("name", Word(64), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

keys = Table(
    "keys",
    metadata,
    _id(),
    Column("name", AnyText, nullable=False, unique=True),
    Column("role", Word(16), nullable=False),
    Column("prefix", Word(16), nullable=False),
    Column("digest", Word(64), nullable=False, unique=True),
    Column("previous_digest", Word(64), unique=True),
    Column("previous_expires_at", Instant),
    Column("created_at", Instant, nullable=False),
    Column("created_by", AnyText, nullable=False),
    Column("rotated_at", Instant),
    Column("revoked_at", Instant),
)

sessions = Table(
    "sessions",
    metadata,
    Column("digest", Word(64), primary_key=True),
    _id_of("key_id", "keys.id", nullable=False, index=True),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
)

login_attempts = Table(
    "login_attempts",
    metadata,
    Column("bucket", Word(80), primary_key=True),  # keyed digest of an address or a key prefix
    Column("failures", Integer, nullable=False),
    Column("since", Instant, nullable=False),
)

policies = Table(
    "policies",
    metadata,
    Column("name", Word(64), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("status", Word(16), nullable=False),
    Column("body", Json, nullable=False),
    Column("reason", AnyText, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", AnyText, nullable=False),
    _index_where("status = 'active'", "ix_policies_one_active", "name", unique=True),
)

policy_activations = Table(
    "policy_activations",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("name", Word(64), nullable=False, index=True),
    Column("version", Integer, nullable=False),
    Column("previous_version", Integer),
    Column("rolled_back", Boolean, nullable=False),
    Column("at", Instant, nullable=False),
    Column("actor", AnyText, nullable=False),
    Column("reason", AnyText, nullable=False),
)

decisions = Table(
    "decisions",
    metadata,
    _id(),
    Column("item_id", AnyText),
    Column("text_digest", Word(64), nullable=False),
    Column("context_digest", Word(64)),  # where the text came with a context
    Column("source", AnyText),
    Column("language", AnyText),
    Column("outcome", Word(8), nullable=False),
    Column("because", Json, nullable=False),
    Column("unscored", Word(64)),
    Column("enforced", Boolean, nullable=False),
    *(Column(f"score_{head}", Double) for head in HEADS),
    Column("stage", Word(16), nullable=False),
    Column("tokens_seen", Integer, nullable=False),
    Column("tokens_total", Integer, nullable=False),
    Column("policy_name", Word(64), nullable=False),
    Column("policy_version", Integer, nullable=False),
    Column("model_version", AnyText, nullable=False),
    Column("key_name", AnyText, nullable=False),
    Column("created_at", Instant, nullable=False),
    Index("ix_decisions_policy", "policy_name", "created_at", "id"),
    Index("ix_decisions_item", "item_id"),
)

cases = Table(
    "cases",
    metadata,
    _id(),
    _id_of("decision_id", "decisions.id", nullable=False, index=True),
    Column("dedupe_key", Word(64), nullable=False, unique=True),
    Column("item_id", AnyText, index=True),
    Column("key_name", AnyText, nullable=False),
    Column("source", AnyText),
    Column("language", AnyText),
    Column("category", Word(32)),
    Column("severity_band", Word(16), nullable=False),
    Column("queue", Word(32), nullable=False),
    Column("priority", Double, nullable=False),  # 0 = most uncertain, served first
    Column("status", Word(16), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("lease_token", Word(64)),
    Column("lease_owner", AnyText),
    Column("lease_expires_at", Instant),
    Column("escalated_by", AnyText),
    Column("resolution", Word(8)),
    Column("resolution_reason", Word(32)),  # reviewed | erased
    Column("resolved_by", AnyText),
    Column("resolved_at", Instant),
    _index_where("status != 'resolved'", "ix_cases_waiting", "queue", "priority", "created_at", "id"),
    Index("ix_cases_lease_owner", "lease_owner"),
    Index("ix_cases_resolved_at", "resolved_at"),
)

case_texts = Table(
    "case_texts",
    metadata,
    _id_of("case_id", "cases.id", primary_key=True),
    Column("text", ItemText),
    Column("context", ItemText),
    Column("spans", Json),
    Column("erased_at", Instant),
)

skips = Table(
    "skips",
    metadata,
    _id_of("case_id", "cases.id", primary_key=True),
    Column("reviewer", AnyText, primary_key=True),
    Column("at", Instant, nullable=False),
)

exposures = Table(
    "exposures",
    metadata,
    _id(),
    _id_of("case_id", "cases.id", nullable=False, index=True),
    Column("reviewer", AnyText, nullable=False),
    Column("severity_band", Word(16), nullable=False),
    Column("at", Instant, nullable=False),
    Index("ix_exposures_reviewer", "reviewer", "at"),
)

reviews = Table(
    "reviews",
    metadata,
    _id(),
    _id_of("case_id", "cases.id", nullable=False, index=True),
    Column("reviewer", AnyText, nullable=False),
    Column("outcome", Word(8), nullable=False),
    Column("severity", Integer),
    Column("reason", AnyText),
    Column("note", AnyText),
    Column("idempotency_key", AnyText, nullable=False),
    Column("body_digest", Word(64), nullable=False),
    Column("at", Instant, nullable=False),
    UniqueConstraint("reviewer", "idempotency_key", name="uq_reviews_idempotency"),
)

labels = Table(
    "labels",
    metadata,
    _id_of("review_id", "reviews.id", primary_key=True),
    Column("category", Word(32), primary_key=True),
    Column("value", Word(8), nullable=False),  # yes | no | unknown
)

outside_labels = Table(
    "outside_labels",
    metadata,
    _id(),
    Column("text_digest", Word(64), nullable=False, index=True),
    Column("attribute", Word(64), nullable=False),
    Column("value", Double, nullable=False),
    Column("span_begin", Integer),  # UTF-16 code units; null where the whole text is meant
    Column("span_end", Integer),
    Column("languages", Json, nullable=False),
    Column("community_id", AnyText),
    Column("key_name", AnyText, nullable=False),
    Column("created_at", Instant, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("actor", AnyText, nullable=False),
    Column("action", Word(64), nullable=False, index=True),
    Column("subject", AnyText, nullable=False),
    Column("body", Json, nullable=False),
    Column("prev_hash", Word(64), nullable=False),
    Column("hash", Word(64), nullable=False),
)

audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # always 1
    Column("seq", BigInteger, nullable=False),
    Column("hash", Word(64), nullable=False),
)
