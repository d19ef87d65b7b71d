"""Migrations make exactly the tables the statements are written for."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect

from prefilter.serving.store import Store
from prefilter.serving.store.database import MIGRATIONS
from prefilter.serving.store.tables import metadata


def engine_of(store: Store) -> Engine:
    return store._engine


def test_migrations_and_tables_agree(database_url: str) -> None:
    store = Store.open(database_url)
    store.migrate()
    with store.read() as conn:
        context = MigrationContext.configure(conn, opts={"compare_type": True})
        differences = compare_metadata(context, metadata)
    store.dispose()
    assert differences == []


def test_partial_indexes_stand_in_the_database(sqlite_url: str) -> None:
    store = Store.open(sqlite_url)
    store.migrate()
    where = {
        index["name"]: str(index.get("dialect_options", {}).get("sqlite_where"))
        for table in ("cases", "policies")
        for index in inspect(engine_of(store)).get_indexes(table)
    }
    store.dispose()
    assert where["ix_cases_waiting"] == "status != 'resolved'"
    assert where["ix_policies_one_active"] == "status = 'active'"


def test_migrating_again_keeps_what_is_there(database_url: str) -> None:
    store = Store.open(database_url)
    store.migrate()
    before = store.digest("x")
    store.migrate()
    again = Store.open(database_url)
    assert again.digest("x") == before
    store.dispose()
    again.dispose()


def test_migrations_import_nothing_of_ours() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (MIGRATIONS / "versions").glob("*.py")]
    assert sources
    assert not any("prefilter" in source for source in sources)
