"""The policy book: which version of each policy is active, who changed it and why.

Versions never change once written; activating and rolling back only moves which one decides. Every worker
follows within `CACHE_SECONDS`. Knows no web framework and no SQL; what a change would do is worked out by
`what_if.py`, on decisions that the book reads.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime

from prefilter.serving.audit import chain
from prefilter.serving.auth import SYSTEM, Principal, require
from prefilter.serving.errors import BadRequest, Conflict, NotFound, Unprocessable, VersionConflict
from prefilter.serving.policy.policy import Policy, PolicyError
from prefilter.serving.policy.policy_history import (
    PolicyHistory,
    PolicySummary,
    active_version,
    earlier_version,
    summaries_of,
)
from prefilter.serving.policy.presets import PRESETS, load_preset
from prefilter.serving.policy.what_if import WhatIf, effect_of
from prefilter.serving.settings import Settings
from prefilter.serving.store import Connection, Store, decision_rows, policy_rows
from prefilter.serving.store.policy_rows import Activation, PolicyRow

EDITORS = ("safety", "admin")
CACHE_SECONDS = 1.0
WHAT_IF_LIMIT = 50_000
MAX_REASON_CHARS = 2_000
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class PolicyBook:
    """The policies of one database; thread-safe."""

    def __init__(
        self, store: Store, settings: Settings, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """`clock` returns the present instant, timezone-aware; it stamps versions and activations."""
        self._store = store
        self._clock = clock
        self._cache: dict[str, tuple[float, Policy]] = {}
        self._lock = threading.Lock()

    def install_presets(self) -> list[str]:
        """Install the shipped presets as active version 1 where there is none yet; returns the new ones."""
        installed: dict[str, Mapping[str, object]] = {}
        with self._store.begin() as conn:
            for name in sorted(PRESETS):
                policy_rows.lock(conn, name)
                if policy_rows.next_version(conn, name) > 1:
                    continue
                policy = load_preset(name)
                self._add(conn, name, 1, policy.to_body(), SYSTEM, policy.reason or "shipped preset")
                self._switch(conn, name, 1, None, SYSTEM, "shipped preset", rolled_back=False)
                installed[name] = policy.to_body()
            if installed:
                versions = dict.fromkeys(installed, 1)
                body = {"policies": versions, "bodies": installed, "reason": "shipped presets"}
                chain.append(conn, actor=SYSTEM.name, action="policy.activated", subject="presets", body=body)
        return list(installed)

    def active(self, name: str) -> Policy:
        """Return the active version, at most CACHE_SECONDS old; raises Unprocessable where there is none."""
        now = time.monotonic()
        if (known := self.known(name)) is not None:
            return known
        row = None
        if _NAME.fullmatch(name):
            with self._store.read() as conn:
                row = policy_rows.active(conn, name)
        if row is None:
            raise Unprocessable("There is no such active policy.", code="unknown_policy", field="policy")
        policy = _policy(row)
        with self._lock:
            self._cache[name] = (now, policy)
        return policy

    def known(self, name: str) -> Policy | None:
        """Return what `active` would without asking the database, None where it would have to."""
        with self._lock:
            cached = self._cache.get(name)
        return cached[1] if cached is not None and time.monotonic() - cached[0] < CACHE_SECONDS else None

    def list(self) -> list[PolicySummary]:
        """Return every policy, by name."""
        with self._store.read() as conn:
            rows = policy_rows.every(conn)
        return summaries_of(rows)

    def get(self, name: str) -> PolicyHistory:
        """Return a policy's versions and activations; raises NotFound."""
        with self._store.read() as conn:
            rows = policy_rows.versions(conn, name)
            activations = policy_rows.activations(conn, name)
        if not rows:
            raise NotFound("There is no such policy.", field="policy")
        return PolicyHistory(
            name=name, active=active_version(rows), versions=tuple(rows), activations=tuple(activations)
        )

    def version(self, name: str, version: int) -> Policy:
        """Return one version, whatever its status; raises NotFound."""
        with self._store.read() as conn:
            return _policy(self._find(conn, name, version))

    def draft(self, name: str, body: Mapping[str, object], principal: Principal, reason: str) -> int:
        """Write a new version, which decides nothing yet, and return its number.

        The body's own `reason` is replaced by `reason`. Raises BadRequest naming the wrong field.
        """
        require(principal, *EDITORS)
        if not _NAME.fullmatch(name):
            raise BadRequest("A policy's name is lower-case letters, digits, - and _.", field="name")
        _check_reason(reason)
        policy = _read(name, {**body, "reason": reason} if isinstance(body, Mapping) else body)
        with self._store.begin() as conn:
            policy_rows.lock(conn, name)
            version = policy_rows.next_version(conn, name)
            self._add(conn, name, version, policy.to_body(), principal, reason)
            body_audited = {"version": version, "reason": reason, "policy": policy.to_body()}
            chain.append(
                conn,
                actor=principal.name,
                action="policy.drafted",
                subject=name,
                body=body_audited,
                at=self._clock(),
            )
        return version

    def activate(
        self, name: str, version: int, principal: Principal, reason: str, *, seen: int | None = None
    ) -> Policy:
        """Let a version decide from now on; raises NotFound, Conflict where it does already.

        `seen` is the version the caller saw decide (0 for none), which the change is meant to replace;
        Conflict where another one decides by now, so that nobody undoes a change they never looked at.
        """
        require(principal, *EDITORS)
        _check_reason(reason)
        with self._store.begin() as conn:
            policy_rows.lock(conn, name)
            row = self._find(conn, name, version)
            before = policy_rows.active(conn, name)
            if before is not None and before.version == version:
                raise Conflict("This version is active already.", code="already_active")
            _check_seen(before, seen)
            self._change(conn, row, before, principal, reason, rolled_back=False)
        return self._followed(row)

    def rollback(self, name: str, principal: Principal, reason: str, *, seen: int | None = None) -> Policy:
        """Go back to the version that was active before the present one; again, to the one before that.

        Raises NotFound, Conflict where there is nothing to go back to, and as `activate` where another
        version decides than the caller has `seen`: two people who roll back at once take one step.
        """
        require(principal, *EDITORS)
        _check_reason(reason)
        with self._store.begin() as conn:
            policy_rows.lock(conn, name)
            before = policy_rows.active(conn, name)
            if before is None:
                raise NotFound("There is no such active policy.", field="policy")
            _check_seen(before, seen)
            earlier = earlier_version(policy_rows.activations(conn, name))
            if earlier is None:
                raise Conflict("There is no earlier version to go back to.", code="no_earlier_version")
            row = self._find(conn, name, earlier)
            self._change(conn, row, before, principal, reason, rolled_back=True)
        return self._followed(row)

    def what_if(
        self,
        name: str,
        body: Mapping[str, object],
        *,
        uncalibrated: Collection[str] = (),
        limit: int = WHAT_IF_LIMIT,
    ) -> WhatIf:
        """Decide the newest `limit` stored decisions again, under a policy's active version and under `body`.

        They are those made under this policy, or where it has made none yet, those of every policy: what one
        policy watched, another can be tried on. Returns `{"before": {outcome: n}, "after": {outcome: n},
        "flips": {"allow>review": n}, "n", "decisions_of", "estimated"}`; `decisions_of` is the policy's name,
        or None for every policy; `estimated` counts those that the fast stage cleared, whose scores are
        estimates; before is the active version, or what was recorded where none is active. Raises
        BadRequest naming the wrong field.
        """
        draft = _read(name, body)
        decisions_of: str | None = name
        with self._store.read() as conn:
            row = policy_rows.active(conn, name)
            columns = decision_rows.recent_columns(conn, name, limit=limit)
            if not len(columns):
                decisions_of, columns = None, decision_rows.recent_columns(conn, None, limit=limit)
        active = None if row is None else _policy(row)
        effect = effect_of(draft, columns, active=active, uncalibrated=uncalibrated)
        return {**effect, "decisions_of": decisions_of, "estimated": columns.estimated}

    # --- inside -----------------------------------------------------------------------------------

    def _find(self, conn: Connection, name: str, version: int) -> PolicyRow:
        row = policy_rows.find(conn, name, version) if 0 < version < 2**31 else None
        if row is None:
            raise NotFound("There is no such version of this policy.", field="version")
        return row

    def _add(
        self,
        conn: Connection,
        name: str,
        version: int,
        body: Mapping[str, object],
        principal: Principal,
        reason: str,
    ) -> None:
        policy_rows.add(
            conn, name=name, version=version, body=body, reason=reason, by=principal.name, at=self._clock()
        )

    def _switch(
        self,
        conn: Connection,
        name: str,
        version: int,
        previous: int | None,
        principal: Principal,
        reason: str,
        *,
        rolled_back: bool,
    ) -> None:
        policy_rows.activate(
            conn,
            Activation(
                name=name,
                version=version,
                previous_version=previous,
                rolled_back=rolled_back,
                at=self._clock(),
                actor=principal.name,
                reason=reason,
            ),
        )

    def _change(
        self,
        conn: Connection,
        row: PolicyRow,
        before: PolicyRow | None,
        principal: Principal,
        reason: str,
        *,
        rolled_back: bool,
    ) -> None:
        previous = None if before is None else before.version
        self._switch(conn, row.name, row.version, previous, principal, reason, rolled_back=rolled_back)
        action = "policy.rolled_back" if rolled_back else "policy.activated"
        body = {"version": row.version, "previous_version": previous, "reason": reason}
        chain.append(conn, actor=principal.name, action=action, subject=row.name, body=body, at=self._clock())

    def _followed(self, row: PolicyRow) -> Policy:
        policy = _policy(row)
        with self._lock:
            self._cache[row.name] = (time.monotonic(), policy)
        return policy


def _policy(row: PolicyRow) -> Policy:
    return Policy.from_body(row.name, row.version, row.body)


def _check_seen(active: PolicyRow | None, seen: int | None) -> None:
    decides = 0 if active is None else active.version
    if seen is not None and seen != decides:
        message = f"Version {decides} decides by now: somebody else changed it. Look again."
        raise VersionConflict(message, field="active_version")


def _read(name: str, body: object) -> Policy:
    try:
        return Policy.from_body(name, 0, body)
    except PolicyError as error:
        raise BadRequest(error.message, code="bad_policy", field=error.field) from None


def _check_reason(reason: object) -> None:
    if not isinstance(reason, str) or not reason.strip() or len(reason) > MAX_REASON_CHARS:
        raise BadRequest(f"A reason of 1 to {MAX_REASON_CHARS} characters is required.", field="reason")
