"""Fixtures of every test: a database per test on SQLite and PostgreSQL, and a real Chromium.

Nothing here skips: a missing PostgreSQL or Chromium fails the tests that need it and says what installs it.

PostgreSQL is a server of this run's own, whatever else is running; `PREFILTER_TEST_POSTGRES` may name another
one by a libpq URL whose user may create databases. Each run makes its own database and drops it at its end.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from postgres_server import own_server
from prefilter.serving.store import Store

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # on few busy cores its threads wait for each other
BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[psycopg.Connection]:
    """An autocommit connection to a database made for this run."""
    name = f"prefilter_test_{secrets.token_hex(6)}"
    with ExitStack() as stack:
        url = os.environ.get("PREFILTER_TEST_POSTGRES") or stack.enter_context(own_server())
        admin = stack.enter_context(psycopg.connect(url, autocommit=True))
        admin.execute(f'CREATE DATABASE "{name}"')
        stack.callback(admin.execute, f'DROP DATABASE "{name}" WITH (FORCE)')
        with psycopg.connect(url, dbname=name, autocommit=True) as connection:
            yield connection


@pytest.fixture
def postgresql_url(postgresql_server: psycopg.Connection) -> Iterator[str]:
    """The SQLAlchemy URL of an empty PostgreSQL schema of this test's own."""
    info, schema = postgresql_server.info, f"t_{secrets.token_hex(6)}"
    postgresql_server.execute(f"CREATE SCHEMA {schema}")
    password = f":{info.password}" if info.password else ""
    yield (
        f"postgresql+psycopg://{info.user}{password}@{info.host}:{info.port}/{info.dbname}"
        f"?application_name={schema}&options=-csearch_path%3D{schema}"
    )
    # Connections that the test left open would hold locks on the schema for ever.
    postgresql_server.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = %s", [schema]
    )
    postgresql_server.execute(f"DROP SCHEMA {schema} CASCADE")


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The SQLAlchemy URL of an SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'prefilter.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database of this test's own; the test runs on SQLite and on PostgreSQL."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A migrated database of this test's own, empty."""
    opened = Store.open(database_url)
    opened.migrate()
    yield opened
    opened.dispose()


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The path of a real Chromium: `PREFILTER_TEST_CHROMIUM`, else the first one installed."""
    wanted = os.environ.get("PREFILTER_TEST_CHROMIUM")
    found = [wanted] if wanted else [path for name in BROWSERS if (path := shutil.which(name))]
    if not found:
        pytest.fail("no Chromium is installed; `make test` installs one by apt as root or with sudo")
    return found[0]
