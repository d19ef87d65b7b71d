"""Migrations make exactly the tables the statements are written for."""

from __future__ import annotations

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect

from prefilter.serving.store import Store, case_rows
from prefilter.serving.store.database import MIGRATIONS
from prefilter.serving.store.tables import metadata

CASE = "id, decision_id, dedupe_key, severity_band, queue, priority, status, created_at, due_at, key_name"
DECISION = (
    "INSERT INTO decisions (id, text_digest, outcome, because, enforced, stage, tokens_seen, tokens_total,"
    " policy_name, policy_version, model_version, key_name, created_at)"
    " VALUES ('d', 'x', 'review', '[]', true, 'full', 1, 1, 'p', 1, 'm', 'k', 0)"
)


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


def test_a_database_of_the_first_release_keeps_its_cases(database_url: str) -> None:
    store = Store.open(database_url)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    case = "'c', 'd', 'k', 'unknown', 'any', 0, 'open', 0, 0, 'p'"
    with store.begin() as conn:
        config.attributes["connection"] = conn
        command.upgrade(config, "0001")
        conn.exec_driver_sql(DECISION)
        conn.exec_driver_sql(f"INSERT INTO cases ({CASE}) VALUES ({case})")
        conn.exec_driver_sql("INSERT INTO case_texts (case_id, erased_at) VALUES ('c', 1)")
    store.migrate()
    with store.read() as conn:
        kept = case_rows.find(conn, "c")
    store.dispose()
    assert kept is not None
    assert (kept.decision_id, kept.context) == ("d", None)


def test_migrations_import_nothing_of_ours() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (MIGRATIONS / "versions").glob("*.py")]
    assert sources
    assert not any("prefilter" in source for source in sources)
