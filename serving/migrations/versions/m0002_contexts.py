"""Contexts: what a text answers, kept beside it in a case, and its digest beside a decision."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("decisions", sa.Column("context_digest", sa.String(length=64), nullable=True))
    op.add_column("case_texts", sa.Column("context", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    """Take them back."""
    op.drop_column("case_texts", "context")
    op.drop_column("decisions", "context_digest")
