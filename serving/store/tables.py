"""The tables, as SQLAlchemy sees them; `serving/migrations` makes them. A test compares the two.

Statuses are spelled here once. Item text and what it answers have one home, `case_texts`; everywhere else
stands a keyed digest.
"""

from __future__ import annotations

from enum import StrEnum

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
    """Where a case stands."""

    OPEN = "open"  # waits in its category's queue
    LEASED = "leased"  # a reviewer holds it until lease_expires_at; after that it counts as open
    ESCALATED = "escalated"  # waits in the queue `escalated` for a lead
    RESOLVED = "resolved"  # closed by a review, or by an erasure


class PolicyStatus(StrEnum):
    """Where a policy version stands."""

    DRAFT = "draft"  # written, never active
    ACTIVE = "active"  # decides now; one per name
    RETIRED = "retired"  # was active; can be rolled back to


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
    Column("id", Word(40), primary_key=True),
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
    Column("key_id", Word(40), ForeignKey("keys.id"), nullable=False, index=True),
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
    Index(
        "ix_policies_one_active",
        "name",
        unique=True,
        sqlite_where=text("status = 'active'"),
        postgresql_where=text("status = 'active'"),
    ),
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
    Column("id", Word(40), primary_key=True),
    Column("item_id", AnyText),
    Column("text_digest", Word(64), nullable=False),
    Column("context_digest", Word(64)),  # of what the text answered, where it came with it
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
    Column("id", Word(40), primary_key=True),
    Column("decision_id", Word(40), ForeignKey("decisions.id"), nullable=False, index=True),
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
    Index(
        "ix_cases_waiting",
        "queue",
        "priority",
        "created_at",
        "id",
        sqlite_where=text("status != 'resolved'"),
        postgresql_where=text("status != 'resolved'"),
    ),
    Index("ix_cases_lease_owner", "lease_owner"),
    Index("ix_cases_resolved_at", "resolved_at"),
)

case_texts = Table(
    "case_texts",
    metadata,
    Column("case_id", Word(40), ForeignKey("cases.id"), primary_key=True),
    Column("text", ItemText),
    Column("context", ItemText),
    Column("spans", Json),
    Column("erased_at", Instant),
)

skips = Table(
    "skips",
    metadata,
    Column("case_id", Word(40), ForeignKey("cases.id"), primary_key=True),
    Column("reviewer", AnyText, primary_key=True),
    Column("at", Instant, nullable=False),
)

exposures = Table(
    "exposures",
    metadata,
    Column("id", Word(40), primary_key=True),
    Column("case_id", Word(40), ForeignKey("cases.id"), nullable=False, index=True),
    Column("reviewer", AnyText, nullable=False),
    Column("severity_band", Word(16), nullable=False),
    Column("at", Instant, nullable=False),
    Index("ix_exposures_reviewer", "reviewer", "at"),
)

reviews = Table(
    "reviews",
    metadata,
    Column("id", Word(40), primary_key=True),
    Column("case_id", Word(40), ForeignKey("cases.id"), nullable=False, index=True),
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
    Column("review_id", Word(40), ForeignKey("reviews.id"), primary_key=True),
    Column("category", Word(32), primary_key=True),
    Column("value", Word(8), nullable=False),  # yes | no | unknown
)

outside_labels = Table(
    "outside_labels",
    metadata,
    Column("id", Word(40), primary_key=True),
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
