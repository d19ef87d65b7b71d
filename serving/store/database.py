"""The database behind the service: opening, migrating, and the two kinds of transaction all work runs in.

`begin` writes, `read` reads a snapshot; one transaction per use case, and nobody else commits. SQLite runs in
WAL with `BEGIN IMMEDIATE` in a file only its owner may read; PostgreSQL runs READ COMMITTED for writes. A driver's
error may repeat values, so none leaves this file: callers see `NotReady` or `InternalFault`. Knows no table but
`meta`, where the secrets of keyed digests are made once, and the head of the audit chain.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import logging
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Insert, Table, create_engine, event, func, select, text
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from prefilter.serving.errors import InternalFault, NotReady, PrefilterError
from prefilter.serving.store.tables import audit_head, meta

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"
BUSY_TIMEOUT_S = 30.0
SECRETS = ("key_secret", "digest_secret")
_WRITES = "prefilter_writes"
_MIGRATING = threading.Lock()  # Alembic keeps its context in module globals
_log = logging.getLogger("prefilter.store")


class Store:
    """One database. Thread-safe; share one per process."""

    def __init__(self, engine: Engine) -> None:
        """Use `Store.open`."""
        self._engine = engine
        self._turn: threading.Lock | None = threading.Lock() if engine.dialect.name == "sqlite" else None
        self._secrets: dict[str, bytes] = {}

    @classmethod
    def open(cls, database_url: str) -> Store:
        """Open `sqlite:///FILE` (made with mode 0600) or `postgresql://…`; raises ValueError for others.

        Connects lazily for PostgreSQL; call `migrate` before anything else.
        """
        try:
            url = make_url(database_url)
        except SQLAlchemyError:
            raise ValueError("the database URL cannot be read") from None
        backend = url.get_backend_name()
        if backend == "sqlite":
            if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
                raise ValueError("an SQLite database needs a file: sqlite:///PATH")
            _make_private(Path(url.database))
            return cls(_sqlite_engine(url.database))
        if backend == "postgresql":
            return cls(
                create_engine(
                    url.set(drivername="postgresql+psycopg"),
                    hide_parameters=True,
                    pool_pre_ping=True,
                    pool_size=5,  # per worker; a server allows 100 in all unless told otherwise
                    max_overflow=10,
                    connect_args={"connect_timeout": 5},
                )
            )
        raise ValueError("the database URL must begin with sqlite:/// or postgresql://")

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    @contextlib.contextmanager
    def begin(self) -> Iterator[Connection]:
        """Open a writing transaction: commits at the end, rolls back on an exception.

        Raises NotReady where the database does not answer or stays locked, InternalFault where it refuses.
        """
        with _plain_errors(), self._writers_turn(), self._engine.connect() as conn:
            conn = conn.execution_options(**{_WRITES: True})
            with conn.begin():
                yield conn

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a reading transaction on one snapshot; raises as `begin` does."""
        with _plain_errors(), self._engine.connect() as conn:
            if self.dialect == "postgresql":
                conn = conn.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with conn.begin():
                yield conn

    def migrate(self) -> None:
        """Bring the tables to the newest version; safe when several workers start at once."""
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        config.set_main_option("path_separator", "os")
        with _MIGRATING, self.begin() as conn:
            serialise(conn, "migrate")
            config.attributes["connection"] = conn
            command.upgrade(config, "head")
            for name in SECRETS:
                insert_once(conn, meta, name=name, value=secrets.token_bytes(32))
            insert_once(conn, audit_head, id=1, seq=0, hash="0" * 64)

    def ping(self) -> None:
        """Raise NotReady unless the database answers and is migrated."""
        self.secret("digest_secret")
        with self.read() as conn:
            conn.execute(text("SELECT 1"))

    def secret(self, name: str) -> bytes:
        """Return one of SECRETS, the same for every worker of this database."""
        if name not in self._secrets:
            with self.read() as conn:
                value = conn.execute(select(meta.c.value).where(meta.c.name == name)).scalar_one_or_none()
            if value is None:
                raise NotReady("The database is not migrated.")
            self._secrets[name] = bytes(value)
        return self._secrets[name]

    def digest(self, value: str, *, kind: str = "text") -> str:
        """Return the keyed digest (hex) of a text, or of another `kind` of guessable value."""
        message = kind.encode() + b"\0" + value.encode("utf-8", "surrogatepass")
        return hmac.new(self.secret("digest_secret"), message, hashlib.sha256).hexdigest()

    def key_digest(self, value: str) -> str:
        """Return the keyed digest (hex) under which an API key or session token is stored."""
        return hmac.new(
            self.secret("key_secret"), value.encode("utf-8", "surrogatepass"), hashlib.sha256
        ).hexdigest()

    def forget(self) -> None:
        """After an erasure: empty SQLite's write-ahead log, which may still hold the text. Never raises."""
        if self.dialect == "sqlite":
            with contextlib.suppress(SQLAlchemyError, sqlite3.Error), self._engine.connect() as conn:
                cursor = conn.connection.cursor()
                cursor.execute("PRAGMA busy_timeout=1000")  # readers may be busy; the next one will do it
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                cursor.execute(f"PRAGMA busy_timeout={int(BUSY_TIMEOUT_S * 1000)}")
                cursor.close()

    def dispose(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @contextlib.contextmanager
    def _writers_turn(self) -> Iterator[None]:
        # SQLite's own waiting is by sleeping and unfair; threads of one process queue here first.
        if self._turn is None:
            yield
            return
        if not self._turn.acquire(timeout=BUSY_TIMEOUT_S):
            raise NotReady("The database is busy.", code="database_busy", retry_after_s=1)
        try:
            yield
        finally:
            self._turn.release()


def serialise(conn: Connection, name: str) -> None:
    """Let one transaction at a time pass for `name`, until it ends. SQLite's writers are serial already."""
    if conn.dialect.name == "postgresql":
        number = int.from_bytes(
            hashlib.sha256(f"prefilter:{name}".encode("utf-8", "surrogatepass")).digest()[:8]
        )
        conn.execute(select(func.pg_advisory_xact_lock(number - 2**63)))


def insert_once(conn: Connection, table: Table, **values: object) -> bool:
    """Insert one row unless a unique column already holds its value; returns whether it was inserted."""
    statement = insert_new(conn, table).values(**values).returning(*table.primary_key)
    return conn.execute(statement).first() is not None


def insert_new(conn: Connection, table: Table) -> Insert:
    """Return an INSERT … ON CONFLICT DO NOTHING in this database's dialect."""
    if conn.dialect.name == "postgresql":
        return postgresql_insert(table).on_conflict_do_nothing()
    return sqlite_insert(table).on_conflict_do_nothing()


def chunks(values: Sequence[str], size: int = 500) -> list[Sequence[str]]:
    """Return `values` in parts that fit into one statement."""
    return [values[start : start + size] for start in range(0, len(values), size)]


def _sqlite_engine(path: str) -> Engine:
    engine = create_engine(
        f"sqlite+pysqlite:///{path}",
        hide_parameters=True,
        pool_size=10,
        max_overflow=30,
        connect_args={"timeout": BUSY_TIMEOUT_S},
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver must not begin transactions of its own
        _switch_to_wal(connection)
        for pragma in ("foreign_keys=ON", "secure_delete=ON", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(conn: Connection) -> None:
        writes = conn.get_execution_options().get(_WRITES, False)
        conn.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    # The switch takes an exclusive lock that SQLite's busy handler does not wait for.
    until = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)


def _make_private(path: Path) -> None:
    # SQLite gives -wal and -shm the mode of the database file.
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        os.fchmod(handle, 0o600)
    finally:
        os.close(handle)
    for suffix in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.chmod(f"{path}{suffix}", 0o600)


@contextlib.contextmanager
def _plain_errors() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        plain = _plain(error)
        # Python keeps the driver's error as the context of ours, and some loggers print contexts: empty it.
        error.args, error.__cause__, error.__context__ = (type(error).__name__,), None, None
        if isinstance(error, StatementError):
            error.orig, error.statement, error.params = None, None, None
        raise plain from None


def _plain(error: SQLAlchemyError) -> PrefilterError:
    state = getattr(error.orig, "sqlstate", None) if isinstance(error, DBAPIError) else None
    _log.error("database error %s, SQLSTATE %s", type(error).__name__, state)
    if isinstance(error, OperationalError | InterfaceError | PoolTimeout):
        return NotReady("The database does not answer.", code="database_unavailable", retry_after_s=1)
    return InternalFault("The database refused a statement.", code="database_fault")


__all__ = ["MIGRATIONS", "Connection", "Store", "chunks", "insert_new", "insert_once", "serialise"]
