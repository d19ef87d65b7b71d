"""The store: two databases behave as one, files are private, errors are plain, odd text survives."""

from __future__ import annotations

import contextlib
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import insert, select, text

from prefilter.serving.errors import InternalFault, NotReady, PrefilterError
from prefilter.serving.store import Store, decision_rows, new_id
from prefilter.serving.store.column_types import escape, unescape
from prefilter.serving.store.tables import audit_head, case_texts, meta
from serving_samples import NOW, a_decision


def test_a_transaction_commits_at_its_end_and_rolls_back_on_an_exception(store: Store) -> None:
    with store.begin() as conn:
        decision_rows.insert_many(conn, [a_decision(id="dec_kept")])
    with contextlib.suppress(RuntimeError), store.begin() as conn:
        decision_rows.insert_many(conn, [a_decision(id="dec_lost")])
        raise RuntimeError
    with store.read() as conn:
        assert decision_rows.find(conn, "dec_kept") is not None
        assert decision_rows.find(conn, "dec_lost") is None


def test_a_decision_comes_back_as_it_was_stored(store: Store) -> None:
    scores = {"hate": float(np.float32(0.1)), "any": float(np.float32(1 / 3))}
    row = a_decision(scores=scores, item_id="nul \x00 and \\u0000 and \ud800 and é", source="\x00")
    with store.begin() as conn:
        decision_rows.insert_many(conn, [row])
    with store.read() as conn:
        assert decision_rows.find(conn, row.id) == row


def test_a_decision_is_found_only_by_the_key_that_asked_for_it(store: Store) -> None:
    row = a_decision(key_name="mine")
    with store.begin() as conn:
        decision_rows.insert_many(conn, [row])
        assert decision_rows.find(conn, row.id, key_name="mine") == row
        assert decision_rows.find(conn, row.id, key_name="theirs") is None


def test_recent_scores_are_the_newest_of_one_policy(store: Store) -> None:
    rows = [a_decision(scores={"any": n / 8}, created_at=NOW + timedelta(seconds=n)) for n in range(5)]
    with store.begin() as conn:
        decision_rows.insert_many(conn, [*rows, a_decision(policy_name="another")])
        found = decision_rows.recent_columns(conn, "model-output", limit=3).scores
    assert found["any"].tolist() == [0.5, 0.375, 0.25]
    assert np.isnan(found["hate"]).all()


def test_a_thousand_decisions_are_stored_in_one_request(store: Store) -> None:
    began = datetime.now(UTC)
    with store.begin() as conn:
        decision_rows.insert_many(conn, [a_decision(scores={"any": 0.5}) for _ in range(1_000)])
    assert datetime.now(UTC) - began < timedelta(seconds=5)


def test_the_database_file_and_its_companions_are_private(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'deep' / 'x.db'}")
    store.migrate()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "deep").iterdir()}
    store.dispose()
    assert modes == {"x.db": 0o600, "x.db-wal": 0o600, "x.db-shm": 0o600}


def test_a_file_that_was_readable_by_others_is_made_private(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.touch(mode=0o644)
    Store.open(f"sqlite:///{path}").dispose()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_sqlite_runs_as_the_design_says(sqlite_url: str) -> None:
    store = Store.open(sqlite_url)
    names = ("journal_mode", "foreign_keys", "secure_delete", "synchronous", "busy_timeout")
    with store.read() as conn:
        found = [conn.execute(text(f"PRAGMA {name}")).scalar_one() for name in names]
    store.dispose()
    assert found == ["wal", 1, 1, 2, 30_000]


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://x/y", "nonsense"])
def test_a_database_we_cannot_promise_anything_on_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="database"):
        Store.open(url)


def test_what_the_database_says_about_an_error_stays_inside(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    row = a_decision(id="dec_canary", item_id="canary-of-an-item")
    with store.begin() as conn:
        decision_rows.insert_many(conn, [row])
    with pytest.raises(InternalFault) as caught, store.begin() as conn:
        decision_rows.insert_many(conn, [row])
    context = caught.value.__context__
    assert context is not None
    assert (context.__cause__, context.__context__) == (None, None)
    assert "canary" not in f"{caught.value} {context} {vars(context)} {caplog.text}"


def test_a_broken_foreign_key_is_refused_on_both(store: Store) -> None:
    with pytest.raises(PrefilterError), store.begin() as conn:
        conn.execute(insert(case_texts).values(case_id="cas_nowhere", text="x"))


def test_a_database_that_does_not_answer_is_not_ready() -> None:
    store = Store.open("postgresql://nobody@127.0.0.1:9/nothing")
    with pytest.raises(NotReady):
        store.ping()
    store.dispose()


def test_a_database_without_tables_is_not_ready(database_url: str) -> None:
    store = Store.open(database_url)
    with pytest.raises(PrefilterError):
        store.ping()
    store.migrate()
    store.ping()
    store.dispose()


def test_digests_are_the_same_for_every_worker_and_differ_by_database(
    database_url: str, tmp_path: Path
) -> None:
    first, second = Store.open(database_url), Store.open(database_url)
    other = Store.open(f"sqlite:///{tmp_path / 'other.db'}")
    first.migrate()
    other.migrate()
    assert first.digest("a text") == second.digest("a text") != other.digest("a text")
    assert first.digest("a text") != first.digest("a text", kind="case")
    for store in (first, second, other):
        store.dispose()


def test_several_workers_may_start_at_once(database_url: str) -> None:
    workers = [Store.open(database_url) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(Store.migrate, workers))
    assert len({worker.digest("x") for worker in workers}) == 1
    with workers[0].read() as conn:
        assert len(conn.execute(select(meta)).all()) == 2
        assert len(conn.execute(select(audit_head)).all()) == 1
    for worker in workers:
        worker.dispose()


def test_writers_wait_for_each_other_instead_of_failing(store: Store) -> None:
    started = threading.Barrier(8)

    def write(_: int) -> None:
        started.wait()
        for _ in range(10):
            with store.begin() as conn:
                decision_rows.insert_many(conn, [a_decision()])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    with store.read() as conn:
        assert len(decision_rows.recent_columns(conn, "model-output", limit=100)) == 80


def test_a_reader_sees_one_snapshot(store: Store) -> None:
    with store.read() as conn:
        assert decision_rows.find(conn, "dec_new") is None
        with store.begin() as writer:
            decision_rows.insert_many(writer, [a_decision(id="dec_new")])
        assert decision_rows.find(conn, "dec_new") is None


@pytest.mark.parametrize("odd", ["", "plain", "\\", "\\u0000", "\x00", "\ud800\\\udfff", "\\\\\x00"])
def test_escaping_is_undone_exactly(odd: str) -> None:
    escaped = escape(odd)
    assert unescape(escaped) == odd
    assert "\x00" not in escaped
    assert escaped.encode("utf-8").decode() == escaped


def test_ids_are_unique_and_begin_with_what_they_name() -> None:
    ids = {new_id("cas") for _ in range(1_000)}
    assert len(ids) == 1_000
    assert all(len(case_id) == 32 and case_id.startswith("cas_") for case_id in ids)


def test_forgetting_does_not_wait_long_for_a_reader(store: Store) -> None:
    with store.read() as conn:
        decision_rows.find(conn, "dec_x")
        with store.begin() as writer:
            decision_rows.insert_many(writer, [a_decision()])
        began = time.monotonic()
        store.forget()
    assert time.monotonic() - began < 10
    with store.begin() as conn:
        decision_rows.insert_many(conn, [a_decision()])
