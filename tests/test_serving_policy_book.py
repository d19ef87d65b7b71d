"""The policy book: drafts, activations, roll-backs and what a change would do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from prefilter.models.labels import HEADS
from prefilter.serving.audit import chain
from prefilter.serving.auth import Principal
from prefilter.serving.errors import BadRequest, Conflict, Forbidden, NotFound, Unprocessable
from prefilter.serving.policy import policy_book
from prefilter.serving.policy.policy_book import PolicyBook
from prefilter.serving.policy.presets import PRESETS, load_preset
from prefilter.serving.settings import Settings
from prefilter.serving.store import Store, decision_rows
from serving_samples import ADA, ANN, LEE, NOW, PIPE, SAM, a_decision

NAME = "model-output"


def body(review: float = 0.3, block: float | None = 0.9, **more: Any) -> dict[str, Any]:
    return {"categories": {"insult": {"review": review, "block": block}}, **more}


@pytest.fixture
def book(store: Store) -> PolicyBook:
    made = PolicyBook(store, Settings(database_url="sqlite:///unused"))
    made.install_presets()
    return made


def test_presets_are_installed_once_as_active_version_1(store: Store, book: PolicyBook) -> None:
    assert book.install_presets() == []
    assert {summary.name for summary in book.list()} == set(PRESETS)
    for name in PRESETS:
        assert book.active(name).to_body() == load_preset(name).to_body()
        assert book.active(name).version == 1
    assert [entry.action for entry in chain.page(store)] == ["policy.activated"]


def test_presets_are_installed_once_when_workers_start_together(store: Store) -> None:
    books = [PolicyBook(store, Settings(database_url="sqlite:///unused")) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        installed = [name for names in pool.map(PolicyBook.install_presets, books) for name in names]
    assert sorted(installed) == sorted(PRESETS)


def test_a_draft_decides_nothing_until_it_is_activated(book: PolicyBook) -> None:
    version = book.draft(NAME, body(), SAM, "fewer misses")
    assert (version, book.active(NAME).version) == (2, 1)
    activated = book.activate(NAME, 2, SAM, "tried on last week")
    assert (activated.version, book.active(NAME).version) == (2, 2)
    assert book.active(NAME).categories["insult"].review == 0.3


def test_a_version_never_changes(book: PolicyBook) -> None:
    book.draft(NAME, body(0.2), SAM, "one")
    book.draft(NAME, body(0.4), SAM, "two")
    assert [book.version(NAME, n).categories["insult"].review for n in (2, 3)] == [0.2, 0.4]


def test_drafts_written_at_once_get_numbers_of_their_own(book: PolicyBook) -> None:
    with ThreadPoolExecutor(6) as pool:
        versions = list(pool.map(lambda n: book.draft(NAME, body(), SAM, f"draft {n}"), range(12)))
    assert sorted(versions) == list(range(2, 14))


def test_a_policy_may_be_new(book: PolicyBook) -> None:
    assert book.draft("forum_2", body(), SAM, "a stream of its own") == 1
    with pytest.raises(Unprocessable):
        book.active("forum_2")
    book.activate("forum_2", 1, SAM, "go")
    assert book.active("forum_2").name == "forum_2"


def test_rolling_back_goes_step_by_step_to_what_was_active_before(book: PolicyBook) -> None:
    for version in (2, 3):
        book.draft(NAME, body(), SAM, "r")
        book.activate(NAME, version, SAM, "r")
    assert book.rollback(NAME, SAM, "too many reviews").version == 2
    assert book.rollback(NAME, SAM, "still too many").version == 1
    with pytest.raises(Conflict):
        book.rollback(NAME, SAM, "further")


def test_rolling_back_never_returns_to_what_was_rolled_back(book: PolicyBook) -> None:
    for _ in (2, 3):
        book.draft(NAME, body(), SAM, "r")
    for version in (2, 3, 2):
        book.activate(NAME, version, SAM, "r")
    assert [book.rollback(NAME, SAM, "worse").version for _ in range(3)] == [3, 2, 1]
    assert book.get(NAME).earlier is None
    book.activate(NAME, 3, SAM, "again")
    assert book.get(NAME).earlier == 1


def test_a_change_of_what_somebody_else_changed_meanwhile_is_refused(book: PolicyBook) -> None:
    for _ in (2, 3):
        book.draft(NAME, body(), SAM, "r")
    book.activate(NAME, 2, SAM, "first", seen=1)
    with pytest.raises(Conflict, match="Version 2 decides by now"):
        book.activate(NAME, 3, ADA, "second", seen=1)
    book.activate(NAME, 3, ADA, "looked again", seen=2)
    assert book.rollback(NAME, SAM, "worse", seen=3).version == 2
    with pytest.raises(Conflict):
        book.rollback(NAME, ADA, "worse", seen=3)
    book.draft("forum", body(), SAM, "new")
    assert book.activate("forum", 1, SAM, "go", seen=0).version == 1


def test_history_says_who_and_why(store: Store, book: PolicyBook) -> None:
    book.draft(NAME, body(), SAM, "written because")
    book.activate(NAME, 2, ADA, "activated because")
    book.rollback(NAME, SAM, "rolled back because")
    history = book.get(NAME)
    statuses = {row.version: (row.status, row.created_by, row.reason) for row in history.versions}
    assert statuses[2] == ("retired", "sam", "written because")
    assert [(a.version, a.previous_version, a.rolled_back, a.actor) for a in history.activations] == [
        (1, 2, True, "sam"),
        (2, 1, False, "ada"),
        (1, None, False, "system"),
    ]
    assert [e.action for e in chain.page(store, limit=3)] == [
        "policy.rolled_back",
        "policy.activated",
        "policy.drafted",
    ]


def test_every_worker_follows_within_seconds(
    store: Store, book: PolicyBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, clock = PolicyBook(store, Settings(database_url="sqlite:///unused")), [100.0]
    monkeypatch.setattr(policy_book.time, "monotonic", lambda: clock[0])
    assert other.active(NAME).version == 1
    book.draft(NAME, body(), SAM, "r")
    book.activate(NAME, 2, SAM, "r")
    clock[0] += 2.0
    assert other.active(NAME).version == 2


def test_a_policy_is_read_once_a_second_not_once_a_request(
    store: Store, book: PolicyBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = book.active(NAME)
    monkeypatch.setattr(store, "read", lambda: 1 / 0)
    assert book.active(NAME) is first


@pytest.mark.parametrize("principal", [ANN, LEE, PIPE])
def test_only_safety_and_admin_change_policies(book: PolicyBook, principal: Principal) -> None:
    calls = [lambda: book.draft(NAME, body(), principal, "r"), lambda: book.rollback(NAME, principal, "r")]
    for call in [*calls, lambda: book.activate(NAME, 1, principal, "r")]:
        with pytest.raises(Forbidden):
            call()


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        ({"categories": {"insult": {"review": 2}}}, "categories.insult.review"),
        ({"categories": {}}, "categories"),
        ({"categories": {"nonsense": {"review": 0.1}}}, "categories.?"),
        (body(unreadable="allow"), "unreadable"),
        ({"categories": {"insult": {"review": 0.1, "reason": "\ud800"}}}, "categories.insult.reason"),
        (body(sources={"a\x00b": {"insult": {"review": 0.1}}}), "sources[0]"),
        ([], ""),
    ],
)
def test_a_bad_body_names_its_field(book: PolicyBook, bad: Any, field: str) -> None:
    for call in (lambda: book.draft(NAME, bad, SAM, "r"), lambda: book.what_if(NAME, bad)):
        with pytest.raises(BadRequest) as caught:
            call()
        assert caught.value.field is not None
        assert caught.value.field.split(".?")[0].startswith(field.split(".?")[0])
    assert len(book.get(NAME).versions) == 1


def test_a_change_needs_a_reason(book: PolicyBook) -> None:
    calls = [lambda: book.draft(NAME, body(), SAM, " "), lambda: book.rollback(NAME, SAM, "")]
    for call in [*calls, lambda: book.activate(NAME, 1, SAM, "x" * 2_001)]:
        with pytest.raises(BadRequest) as caught:
            call()
        assert caught.value.field == "reason"


def test_what_does_not_exist_is_named(book: PolicyBook) -> None:
    for call in (
        lambda: book.get("none"),
        lambda: book.version(NAME, 7),
        lambda: book.rollback("none", SAM, "r"),
    ):
        with pytest.raises(NotFound):
            call()
    with pytest.raises(NotFound):
        book.activate(NAME, 2**40, SAM, "r")
    with pytest.raises(Conflict):
        book.activate(NAME, 1, SAM, "r")
    for odd in ("none", "", "x" * 300, "\x00", "\ud800"):
        with pytest.raises(Unprocessable):
            book.active(odd)


def fill(store: Store, count: int) -> None:
    made = np.random.default_rng(7)
    rows = []
    for number in range(count):
        scores = {head: float(np.float32(made.random())) for head in HEADS} if number % 20 else {}
        unscored = None if number % 20 else ("deadline", "unreadable_language")[number % 40 == 0]
        source = ("forum", None)[number % 2]
        at = NOW + timedelta(seconds=number)
        rows.append(a_decision(scores=scores, unscored=unscored, source=source, created_at=at))
    with store.begin() as conn:
        decision_rows.insert_many(conn, rows)


def test_what_if_counts_outcomes_and_flips_without_the_model(store: Store, book: PolicyBook) -> None:
    rows = [
        a_decision(
            scores={"insult": n / 10}, stage="fast" if n < 3 else "full", created_at=NOW + timedelta(seconds=n)
        )
        for n in range(10)
    ]
    with store.begin() as conn:
        decision_rows.insert_many(conn, rows)
    book.draft(NAME, body(0.5, 0.8), SAM, "r")
    book.activate(NAME, 2, SAM, "r")
    assert book.what_if(NAME, body(0.3, None)) == {
        "before": {"allow": 5, "review": 3, "block": 2},
        "after": {"allow": 3, "review": 7, "block": 0},
        "flips": {"allow>review": 2, "block>review": 2},
        "n": 10,
        "decisions_of": NAME,
        "estimated": 3,
    }


def test_what_if_looks_at_the_newest_only(store: Store, book: PolicyBook) -> None:
    fill(store, 50)
    assert book.what_if(NAME, body(), limit=20)["n"] == 20


def test_a_policy_that_has_decided_nothing_is_tried_on_what_others_decided(store: Store, book: PolicyBook) -> None:
    assert book.what_if("monitor-only", body())["n"] == 0
    fill(store, 7)
    found = book.what_if("monitor-only", body())
    assert (found["n"], found["decisions_of"]) == (7, None)


def test_what_if_never_mixes_the_scores_of_two_models(store: Store, book: PolicyBook) -> None:
    fill(store, 5)
    later = NOW + timedelta(days=1)
    with store.begin() as conn:
        decision_rows.insert_many(conn, [a_decision(model_version="next-1", created_at=later) for _ in range(3)])
    assert book.what_if(NAME, body())["n"] == 3


def test_what_is_known_needs_no_database_and_only_for_a_moment(
    book: PolicyBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    book.install_presets()
    assert book.known("model-output") is None
    active = book.active("model-output")
    assert book.known("model-output") is active
    monkeypatch.setattr(policy_book, "CACHE_SECONDS", 0.0)
    assert book.known("model-output") is None
