"""All SQL of the service, on SQLite and PostgreSQL: the only room that knows SQLAlchemy.

`Store` opens the database and hands out transactions; each `*_rows` file holds the statements of one noun, as functions
that take the open connection first and return frozen values. The use cases (triage, screening, auth, policy book) begin
the transaction and say what belongs into it.
"""

from __future__ import annotations

from prefilter.serving.store.database import Connection, Store
from prefilter.serving.store.ids import new_id

__all__ = ["Connection", "Store", "new_id"]
