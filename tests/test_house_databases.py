"""The databases that the tests run on: isolated per test, on a server of their own if none is given."""

from __future__ import annotations

import os
import subprocess

import psycopg
import sqlalchemy as sa

from postgres_server import connectable, own_server


def test_each_test_gets_an_empty_database(database_url: str) -> None:
    engine = sa.create_engine(database_url)
    with engine.begin() as conn:
        assert sa.inspect(conn).get_table_names() == []
        conn.execute(sa.text("CREATE TABLE left_over (n integer)"))
    engine.dispose()


def test_the_next_test_sees_no_table_of_the_last(database_url: str) -> None:
    test_each_test_gets_an_empty_database(database_url)


def test_an_own_server_starts_as_an_ordinary_user_and_is_gone_after() -> None:
    with own_server() as url, psycopg.connect(url) as conn:
        pid = conn.execute("SELECT pg_backend_pid()").fetchone()[0]
        owner = os.stat(f"/proc/{pid}").st_uid
        assert owner != 0
        assert os.geteuid() in (0, owner)
    assert not connectable(url)


def test_two_own_servers_run_side_by_side() -> None:
    with own_server() as first, own_server() as second:
        assert first != second
        assert connectable(first)
        assert connectable(second)


def test_chromium_is_a_real_browser(chromium_path: str) -> None:
    version = subprocess.run([chromium_path, "--version"], capture_output=True, text=True, check=True).stdout
    assert "Chrom" in version
