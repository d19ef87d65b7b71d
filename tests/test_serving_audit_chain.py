"""The audit chain: an entry that is edited, removed, moved, added or cut off is found."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Update, delete, text, update

from prefilter.serving.audit import chain
from prefilter.serving.store import Store
from prefilter.serving.store.tables import audit as table
from prefilter.serving.store.tables import audit_head
from serving_samples import NOW


def add(store: Store, count: int = 1) -> None:
    for number in range(count):
        with store.begin() as conn:
            body = {"n": number, "odd": "\x00 \ud800 é", "score": 0.1}
            chain.append(conn, actor="ann\x00", action="case.claimed", subject="cas_1", body=body, at=NOW)


def test_an_empty_chain_verifies(store: Store) -> None:
    assert chain.verify(store) == chain.AuditVerification(True, 0, None, chain.GENESIS)


def test_a_chain_verifies_and_names_its_head(store: Store) -> None:
    add(store, 5)
    found = chain.verify(store)
    assert (found.ok, found.entries, found.broken_at) == (True, 5, None)
    assert found.head == chain.page(store)[0].hash


def test_every_entry_carries_the_hash_of_the_one_before(store: Store) -> None:
    add(store, 3)
    third, second, first = chain.page(store)
    assert (first.seq, first.prev_hash) == (1, chain.GENESIS)
    assert (second.prev_hash, third.prev_hash) == (first.hash, second.hash)
    assert third.hash == chain.entry_hash(third)


@pytest.mark.parametrize(
    "edit",
    [
        update(table).values(body={"n": 9}),
        update(table).values(actor="ben"),
        update(table).values(action="case.skipped"),
        update(table).values(subject="cas_2"),
        update(table).values(at=NOW + timedelta(microseconds=1)),
        update(table).values(prev_hash="1" * 64),
        update(table).values(hash="1" * 64),
    ],
)
def test_an_edited_entry_is_found(store: Store, edit: Update) -> None:
    add(store, 5)
    with store.begin() as conn:
        conn.execute(edit.where(table.c.seq == 3))
    found = chain.verify(store)
    assert (found.ok, found.broken_at) == (False, 3)


def test_an_entry_edited_into_what_cannot_be_read_is_found(store: Store) -> None:
    add(store, 3)
    with store.begin() as conn:
        conn.execute(text("update audit set body = 'no JSON' where seq = 2"))
    found = chain.verify(store)
    assert (found.ok, found.broken_at) == (False, 2)


def test_a_head_written_down_shows_that_the_end_was_cut(store: Store) -> None:
    add(store, 3)
    head = chain.verify(store).head
    assert chain.holds(store, head)
    assert chain.holds(store, chain.GENESIS)
    with store.begin() as conn:
        before = conn.execute(delete(table).where(table.c.seq == 3).returning(table.c.prev_hash)).scalar_one()
        conn.execute(update(audit_head).values(seq=2, hash=before))
    assert chain.verify(store).ok
    assert not chain.holds(store, head)


@pytest.mark.parametrize("seq", [1, 3, 5])
def test_a_removed_entry_is_found_even_the_last(store: Store, seq: int) -> None:
    add(store, 5)
    with store.begin() as conn:
        conn.execute(delete(table).where(table.c.seq == seq))
    found = chain.verify(store)
    assert (found.ok, found.broken_at) == (False, seq)


def test_moved_entries_are_found(store: Store) -> None:
    add(store, 5)
    with store.begin() as conn:
        for old, new in [(2, 99), (3, 2), (99, 3)]:
            conn.execute(update(table).where(table.c.seq == old).values(seq=new))
    assert chain.verify(store).broken_at == 2


def test_an_entry_hung_on_the_end_is_found(store: Store) -> None:
    add(store, 3)
    with store.begin() as conn:
        conn.execute(update(audit_head).values(seq=2, hash=chain.page(store)[1].hash))
    assert chain.verify(store).broken_at == 3


def test_entries_made_at_once_form_one_chain(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: add(store, 5), range(8)))
    found = chain.verify(store)
    assert (found.ok, found.entries) == (True, 40)


def test_an_entry_of_a_failed_transaction_leaves_no_gap(store: Store) -> None:
    add(store)
    with contextlib.suppress(ZeroDivisionError), store.begin() as conn:
        chain.append(
            conn, actor="a", action="case.claimed", subject="s", body={"n": (len("") and 1 / 0) or 1 // 0}
        )
    add(store)
    assert [entry.seq for entry in chain.page(store)] == [2, 1]


def test_a_chain_may_grow_while_it_is_verified(store: Store) -> None:
    add(store, 20)
    with ThreadPoolExecutor(2) as pool:
        growing = pool.submit(add, store, 20)
        checks = [chain.verify(store) for _ in range(10)]
        growing.result()
    assert all(check.ok for check in checks)


@pytest.mark.parametrize("action", ["claimed", "Case.claimed", "case.claimed now", ""])
def test_an_action_without_the_right_shape_is_refused(store: Store, action: str) -> None:
    with pytest.raises(ValueError, match="action"), store.begin() as conn:
        chain.append(conn, actor="a", action=action, subject="s", body={})


def test_pages_go_back_and_filter(store: Store) -> None:
    add(store, 4)
    with store.begin() as conn:
        chain.append(conn, actor="a", action="key.created", subject="s", body={})
    assert [entry.seq for entry in chain.page(store, limit=2)] == [5, 4]
    assert [entry.seq for entry in chain.page(store, before=4, limit=2)] == [3, 2]
    assert [entry.seq for entry in chain.page(store, action="key.created")] == [5]


def test_bodies_are_kept_as_ascii(store: Store) -> None:
    add(store)
    with store.read() as conn:
        raw = conn.execute(text("SELECT body FROM audit")).scalar_one()
    assert raw.isascii()
    assert chain.page(store)[0].body["odd"] == "\x00 \ud800 é"
