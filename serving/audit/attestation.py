"""Attestation: whether the tables still say what the audit chain says of decisions, policies and keys.

`chain.verify` finds a changed entry; it does not find a decision, a policy or a key that was changed in its own table.
The entries hold enough to find that: a digest over the decisions of a request, the body of every drafted policy
and which version decides, the role of every key. Both are read in one snapshot. Every decision is read, so this is for
a command and not for a request.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import datetime
from itertools import groupby, islice

from prefilter.serving.audit.decision_entry import digest_of
from prefilter.serving.store import Connection, Store, audit_rows, decision_rows, key_rows, policy_rows
from prefilter.serving.store.audit_rows import AuditEntry
from prefilter.serving.store.decision_rows import DecisionRow

_Request = tuple[datetime, str]  # when and whose: what the entry and the decisions of a request share


def mismatches(store: Store, *, limit: int = 100) -> list[str]:
    """Return up to `limit` sentences, each naming something that the chain says otherwise; [] where all agree.

    Call it after `chain.verify`: where the chain itself is broken, this proves nothing.
    """
    with store.read() as conn:
        record = _ChainRecord(conn)
        found = [*islice(_decisions(conn, record), limit), *_policies(conn, record), *_keys(conn, record)]
    return found[:limit]


class _ChainRecord:
    """What the chain says, gathered in one walk."""

    def __init__(self, conn: Connection) -> None:
        self.requests: defaultdict[_Request, list[AuditEntry]] = defaultdict(list)
        self.bodies: dict[tuple[str, int], object] = {}  # of policy versions
        self.deciding: dict[str, int] = {}
        self.roles: dict[str, tuple[str, str]] = {}  # key id → name, role
        self.revoked: set[str] = set()
        with closing(audit_rows.stream(conn)) as entries:
            for entry in entries:
                self._read(entry)

    def _read(self, entry: AuditEntry) -> None:
        match entry.action:
            case "decision.made":
                self.requests[entry.at, entry.actor].append(entry)
            case "policy.drafted":
                self.bodies[entry.subject, entry.body["version"]] = entry.body["policy"]
            case "policy.activated" if "policies" in entry.body:  # the shipped ones, all at once
                self.deciding.update(entry.body["policies"])
                self.bodies.update({(name, 1): body for name, body in entry.body.get("bodies", {}).items()})
            case "policy.activated" | "policy.rolled_back":
                self.deciding[entry.subject] = entry.body["version"]
            case "key.created":
                self.roles[entry.subject] = entry.body["name"], entry.body["role"]
            case "key.revoked":
                self.revoked.add(entry.subject)


def _decisions(conn: Connection, record: _ChainRecord) -> Iterator[str]:
    silent = set(record.requests)
    with closing(decision_rows.stream(conn)) as rows:
        for request, group in groupby(rows, key=lambda row: (row.created_at, row.key_name)):
            silent.discard(request)
            decided = list(group)
            entries = record.requests.get(request, [])
            if not entries:
                yield f"decision {decided[0].id}: no entry says that it was made"
            elif not _agree(entries, decided):
                yield f"entry {entries[0].seq}: its decisions are not what was decided"
    for request in sorted(silent):
        yield f"entry {record.requests[request][0].seq}: its decisions are gone"


def _agree(entries: list[AuditEntry], decided: list[DecisionRow]) -> bool:
    # Two requests of one key in the same microsecond cannot be told apart: then only the number is compared.
    count: int = sum(entry.body["decisions"] for entry in entries)
    return count == len(decided) and (len(entries) > 1 or entries[0].body["digest"] == digest_of(decided))


def _policies(conn: Connection, record: _ChainRecord) -> Iterable[str]:
    active: dict[str, int] = {}
    for row in policy_rows.every(conn):
        if row.status == "active":
            active[row.name] = row.version
        if record.bodies.get((row.name, row.version), row.body) != row.body:
            yield f"policy {row.name}@{row.version}: not as it was written"
    for name in sorted({*active, *record.deciding}):
        if active.get(name) != record.deciding.get(name):
            yield f"policy {name}: another version decides than was activated"


def _keys(conn: Connection, record: _ChainRecord) -> Iterable[str]:
    for row in key_rows.everyone(conn):
        if record.roles.get(row.id) != (row.name, row.role):
            yield f"key {row.id}: not the name and role it was made with"
        elif (row.id in record.revoked) != (row.revoked_at is not None):
            yield f"key {row.id}: revoked in one place only"
