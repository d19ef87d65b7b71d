"""Who is asking: API keys, roles and console sessions.

A key is shown once and kept as a keyed digest. It is looked up by that digest, so no comparison runs over the secret
itself, and every request asks the database, so that a revoked key is refused by every worker at once. A person is the
key's unique name. Log-ins are limited per client address and per key prefix, counted in the database before the key is
looked at. Knows no web framework and no SQL.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil

from prefilter.serving.audit import chain
from prefilter.serving.errors import BadRequest, Conflict, Forbidden, NotFound, Overloaded, Unauthorised
from prefilter.serving.settings import Settings
from prefilter.serving.store import Connection, Store, key_rows, new_id, session_rows
from prefilter.serving.store.database import serialise
from prefilter.serving.store.key_rows import KeyRow

ROLES: tuple[str, ...] = ("pipeline", "reviewer", "lead", "safety", "admin")
LOGIN_WINDOW = timedelta(minutes=5)
MAX_FAILURES_PER_ADDRESS = 20
MAX_FAILURES_PER_PREFIX = 10
_KEY = re.compile(r"pf_([0-9a-f]{8})_[A-Za-z0-9_-]{43}")
_NAME = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,128}")


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking, and as what."""

    key_id: str
    name: str
    role: str


COMMAND_LINE = Principal("", "command line", "admin")  # whoever can open the database file
SYSTEM = Principal("", "system", "admin")  # what the service does of itself


def require(principal: Principal, *roles: str) -> None:
    """Raise Forbidden unless the principal has one of the roles."""
    if principal.role not in roles:
        raise Forbidden


class Auth:
    """Keys and sessions of one database; thread-safe."""

    def __init__(
        self, store: Store, settings: Settings, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """`clock` returns the present instant, timezone-aware."""
        self._store = store
        self._session_time = timedelta(hours=settings.session_hours)
        self._clock = clock

    # --- keys -------------------------------------------------------------------------------------

    def create_key(self, role: str, name: str, actor: Principal | str = COMMAND_LINE) -> str:
        """Make a key and return it, the only time it can be seen.

        Raises BadRequest for an unknown role or an unusable name, Conflict for a name that is or was in use.
        """
        with self._store.begin() as conn:
            return self._create(conn, role, name, actor)

    def list_keys(self) -> list[KeyRow]:
        """Return all keys, revoked ones too, without their secrets."""
        with self._store.read() as conn:
            return key_rows.everyone(conn)

    def revoke(self, name: str, actor: Principal | str = COMMAND_LINE) -> KeyRow:
        """Make a key and its sessions invalid at once; doing it again changes nothing. Raises NotFound."""
        now = self._clock()
        with self._store.begin() as conn:
            row = self._named(conn, name)
            if key_rows.revoke(conn, row.id, at=now):
                session_rows.end_all(conn, row.id)
                self._audit(conn, actor, "key.revoked", row, now)
            return self._named(conn, name)

    def rotate(self, name: str, actor: Principal | str = COMMAND_LINE, *, grace_seconds: int = 0) -> str:
        """Return a new key for a name; the old one is invalid at once, or after `grace_seconds`.

        Sessions end. Raises NotFound, Conflict where the key is revoked, BadRequest for a grace over a week.
        """
        if not 0 <= grace_seconds <= 7 * 24 * 3600:
            raise BadRequest("grace_seconds lies between 0 and a week.", field="grace_seconds")
        now = self._clock()
        plain, prefix = _fresh_key()
        old_until = now + timedelta(seconds=grace_seconds) if grace_seconds else None
        with self._store.begin() as conn:
            row = self._named(conn, name)
            digest = self._store.key_digest(plain)
            if not key_rows.rotate(conn, row.id, prefix=prefix, digest=digest, at=now, old_until=old_until):
                raise Conflict("The key is revoked.", code="key_revoked")
            session_rows.end_all(conn, row.id)
            self._audit(conn, actor, "key.rotated", row, now)
        return plain

    def ensure_admin(self) -> str | None:
        """On the first start make the key `admin` and return it; None where an admin key was ever made."""
        with self._store.begin() as conn:
            serialise(conn, "ensure_admin")
            if key_rows.admin_exists(conn):
                return None
            names = ("admin", *(f"admin-{number}" for number in range(2, 100)))
            free = next(name for name in names if key_rows.by_name(conn, name) is None)
            return self._create(conn, "admin", free, SYSTEM)

    def authenticate(self, bearer: str | None) -> Principal:
        """Return whose key this is (with or without the word `Bearer` before it); raises Unauthorised."""
        key = (bearer or "").removeprefix("Bearer ").strip()
        if not _KEY.fullmatch(key):
            raise Unauthorised
        with self._store.read() as conn:
            row = key_rows.by_digest(conn, self._store.key_digest(key), now=self._clock())
        if row is None:
            raise Unauthorised
        return _principal(row)

    # --- sessions ---------------------------------------------------------------------------------

    def login(self, key: str, client_ip: str) -> str:
        """Return a session token for a key; raises Unauthorised, Overloaded after too many failures.

        Only failures count: a successful log-in takes its own attempt back.
        """
        now = self._clock()
        found = _KEY.fullmatch(key.strip())
        buckets = {self._store.digest(client_ip, kind="address"): MAX_FAILURES_PER_ADDRESS}
        if found:
            buckets[self._store.digest(found[1], kind="prefix")] = MAX_FAILURES_PER_PREFIX
        with self._store.begin() as conn:
            for bucket in sorted(buckets):  # one order everywhere, against deadlocks
                self._count(conn, bucket, buckets[bucket], now)
        try:
            principal = self.authenticate(key)
        except Unauthorised:
            raise Unauthorised("This key is not valid.") from None
        token = f"ses_{secrets.token_urlsafe(32)}"
        with self._store.begin() as conn:
            for bucket in sorted(buckets):
                session_rows.forgive_attempt(conn, bucket)
            session_rows.add(
                conn,
                digest=self._store.key_digest(token),
                key_id=principal.key_id,
                now=now,
                expires_at=now + self._session_time,
            )
        return token

    def session(self, token: str | None) -> Principal:
        """Return whose session this is; raises Unauthorised where it has ended or its key is revoked."""
        if not token or len(token) > 128:
            raise Unauthorised
        with self._store.read() as conn:
            row = session_rows.owner(conn, self._store.key_digest(token), now=self._clock())
        if row is None:
            raise Unauthorised("The session has ended.")
        return _principal(row)

    def logout(self, token: str | None) -> None:
        """End a session; an unknown one is no error."""
        if token:
            with self._store.begin() as conn:
                session_rows.end(conn, self._store.key_digest(token))

    def purge(self, now: datetime | None = None) -> None:
        """Remove expired sessions and forgotten log-in failures."""
        now = now or self._clock()
        with self._store.begin() as conn:
            session_rows.purge(conn, now=now, window_start=now - LOGIN_WINDOW)

    # --- inside -----------------------------------------------------------------------------------

    def _create(self, conn: Connection, role: str, name: str, actor: Principal | str) -> str:
        if role not in ROLES:
            raise BadRequest(f"role is one of {', '.join(ROLES)}.", field="role")
        if not _NAME.fullmatch(name) or name != name.strip():
            raise BadRequest("name is 1 to 128 printable characters.", field="name")
        if name in (COMMAND_LINE.name, SYSTEM.name):
            raise Conflict("This name is reserved.", code="name_taken", field="name")
        plain, prefix = _fresh_key()
        now, by = self._clock(), _name_of(actor)
        added = key_rows.add(
            conn,
            key_id=new_id("key"),
            name=name,
            role=role,
            prefix=prefix,
            digest=self._store.key_digest(plain),
            at=now,
            by=by,
        )
        if not added:
            raise Conflict(
                "This name is taken, by a key that may be revoked.", code="name_taken", field="name"
            )
        self._audit(conn, actor, "key.created", self._named(conn, name), now)
        return plain

    def _count(self, conn: Connection, bucket: str, limit: int, now: datetime) -> None:
        attempts, since = session_rows.count_attempt(conn, bucket, now=now, window_start=now - LOGIN_WINDOW)
        if attempts > limit:
            wait_s = max(1, ceil((since + LOGIN_WINDOW - now).total_seconds()))
            raise Overloaded("Too many failed log-ins; wait.", code="too_many_logins", retry_after_s=wait_s)

    @staticmethod
    def _named(conn: Connection, name: str) -> KeyRow:
        row = key_rows.by_name(conn, name)
        if row is None:
            raise NotFound("There is no such key.", field="name")
        return row

    @staticmethod
    def _audit(conn: Connection, actor: Principal | str, action: str, row: KeyRow, now: datetime) -> None:
        body = {"name": row.name, "role": row.role}
        chain.append(conn, actor=_name_of(actor), action=action, subject=row.id, body=body, at=now)


def _fresh_key() -> tuple[str, str]:
    prefix = secrets.token_hex(4)
    return f"pf_{prefix}_{secrets.token_urlsafe(32)}", f"pf_{prefix}"


def _name_of(actor: Principal | str) -> str:
    return actor if isinstance(actor, str) else actor.name


def _principal(row: KeyRow) -> Principal:
    return Principal(row.id, row.name, row.role)
