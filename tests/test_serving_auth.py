"""Keys, roles, sessions and the limit on log-ins."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from prefilter.serving.audit import chain
from prefilter.serving.auth import ROLES, Auth, Principal, require
from prefilter.serving.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    NotFound,
    Overloaded,
    PrefilterError,
    Unauthorised,
)
from prefilter.serving.settings import Settings
from prefilter.serving.store import Store
from serving_samples import ADA, ANN, SAM, Clock

WRONG = "pf_00000000_" + "x" * 43


class Door:
    """Two workers on one database."""

    def __init__(self, url: str) -> None:
        self.clock, self.url = Clock(), url
        self.stores = [Store.open(url), Store.open(url)]
        self.stores[0].migrate()
        settings = Settings(database_url=url, session_hours=8)
        self.auth, self.other = (Auth(store, settings, self.clock) for store in self.stores)

    def actions(self) -> list[str]:
        return [entry.action for entry in reversed(chain.page(self.stores[0]))]


@pytest.fixture
def door(database_url: str) -> Iterator[Door]:
    made = Door(database_url)
    yield made
    for store in made.stores:
        store.dispose()


def fail(auth: Auth, key: str = WRONG, ip: str = "10.0.0.1") -> PrefilterError:
    with pytest.raises((Unauthorised, Overloaded)) as caught:
        auth.login(key, ip)
    return caught.value


@pytest.mark.parametrize("role", ROLES)
def test_a_key_opens_with_its_name_and_role(door: Door, role: str) -> None:
    key = door.auth.create_key(role, "zoë", ADA)
    principal = door.other.authenticate(key)
    assert (principal.name, principal.role) == ("zoë", role)
    assert door.auth.authenticate(f"Bearer {key}") == principal
    assert door.actions() == ["key.created"]


@pytest.mark.parametrize("bearer", [None, "", "Bearer ", "pf_", WRONG, "Basic x", "pf_\x00", "é" * 56])
def test_anything_else_is_refused(door: Door, bearer: str | None) -> None:
    door.auth.create_key("admin", "ada")
    with pytest.raises(Unauthorised):
        door.auth.authenticate(bearer)


def test_keys_and_sessions_are_kept_only_as_digests(sqlite_url: str, tmp_path: Path) -> None:
    door = Door(sqlite_url)
    key = door.auth.create_key("reviewer", "ann")
    token = door.auth.login(key, "203.0.113.77")
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert not any(secret.encode() in kept for secret in (key, key[12:], token, token[4:], "203.0.113.77"))
    for store in door.stores:
        store.dispose()


def test_a_name_is_given_once_even_after_revocation(door: Door) -> None:
    door.auth.create_key("reviewer", "ann")
    door.auth.revoke("ann")
    with pytest.raises(Conflict):
        door.other.create_key("lead", "ann")


def test_a_name_asked_for_at_the_same_moment_is_given_once(door: Door) -> None:
    def ask(_: int) -> str | None:
        try:
            return door.auth.create_key("reviewer", "ann")
        except Conflict:
            return None

    with ThreadPoolExecutor(6) as pool:
        keys = [key for key in pool.map(ask, range(6)) if key]
    assert len(keys) == 1


@pytest.mark.parametrize(
    ("role", "name", "field"),
    [("king", "ann", "role"), ("lead", "", "name"), ("lead", " ann", "name"), ("lead", "a\nb", "name")],
)
def test_a_key_that_makes_no_sense_names_its_field(door: Door, role: str, name: str, field: str) -> None:
    with pytest.raises(BadRequest) as caught:
        door.auth.create_key(role, name)
    assert caught.value.field == field


def test_a_revoked_key_and_its_sessions_are_refused_at_once_by_every_worker(door: Door) -> None:
    key = door.auth.create_key("reviewer", "ann")
    token = door.other.login(key, "10.0.0.1")
    door.auth.revoke("ann", ADA)
    with pytest.raises(Unauthorised):
        door.other.authenticate(key)
    with pytest.raises(Unauthorised):
        door.other.session(token)
    assert door.actions() == ["key.created", "key.revoked"]


def test_revoking_twice_is_recorded_once_and_a_stranger_is_not_found(door: Door) -> None:
    door.auth.create_key("reviewer", "ann")
    first = door.auth.revoke("ann")
    assert door.auth.revoke("ann") == first
    assert door.actions().count("key.revoked") == 1
    with pytest.raises(NotFound):
        door.auth.revoke("nobody")


def test_rotation_ends_the_old_key_at_once(door: Door) -> None:
    old = door.auth.create_key("pipeline", "crawler")
    new = door.auth.rotate("crawler", ADA)
    with pytest.raises(Unauthorised):
        door.other.authenticate(old)
    assert door.other.authenticate(new).name == "crawler"
    assert door.actions()[-1] == "key.rotated"


def test_rotation_with_grace_lets_the_old_key_live_that_long(door: Door) -> None:
    old = door.auth.create_key("pipeline", "crawler")
    new = door.auth.rotate("crawler", grace_seconds=60)
    assert door.auth.authenticate(old) == door.auth.authenticate(new)
    door.clock.advance(seconds=60)
    with pytest.raises(Unauthorised):
        door.auth.authenticate(old)


def test_revocation_ends_a_key_in_grace_too(door: Door) -> None:
    old = door.auth.create_key("pipeline", "crawler")
    door.auth.rotate("crawler", grace_seconds=60)
    door.auth.revoke("crawler")
    with pytest.raises(Unauthorised):
        door.auth.authenticate(old)
    with pytest.raises(Conflict):
        door.auth.rotate("crawler")


def test_the_list_shows_who_holds_keys_and_no_secret(door: Door) -> None:
    key = door.auth.create_key("reviewer", "ann", SAM)
    [row] = door.auth.list_keys()
    assert (row.name, row.role, row.created_by, row.revoked_at) == ("ann", "reviewer", "sam", None)
    assert key.startswith(f"{row.prefix}_")
    assert key[12:] not in repr(row)


def test_only_the_first_start_makes_an_admin_key(door: Door) -> None:
    with ThreadPoolExecutor(4) as pool:
        keys = [key for key in pool.map(lambda auth: auth.ensure_admin(), [door.auth, door.other] * 2) if key]
    assert len(keys) == 1
    assert door.auth.authenticate(keys[0]).role == "admin"
    door.auth.revoke("admin")
    assert door.auth.ensure_admin() is None


def test_the_first_start_makes_an_admin_key_whoever_took_the_name(door: Door) -> None:
    door.auth.create_key("reviewer", "admin")
    key = door.auth.ensure_admin()
    assert (door.auth.authenticate(key).name, door.auth.authenticate(key).role) == ("admin-2", "admin")


def test_a_session_belongs_to_its_key_and_ends(door: Door) -> None:
    token = door.auth.login(door.auth.create_key("reviewer", "ann"), "10.0.0.1")
    assert door.other.session(token).name == "ann"
    door.auth.logout(token)
    with pytest.raises(Unauthorised):
        door.other.session(token)
    door.auth.logout(token)


def test_a_session_expires(door: Door) -> None:
    token = door.auth.login(door.auth.create_key("reviewer", "ann"), "10.0.0.1")
    door.clock.advance(hours=8)
    for gone in (token, None, "", "nonsense", "x" * 1_000, "\ud800"):
        with pytest.raises(Unauthorised):
            door.auth.session(gone)


def test_rotation_ends_sessions(door: Door) -> None:
    token = door.auth.login(door.auth.create_key("reviewer", "ann"), "10.0.0.1")
    door.auth.rotate("ann", grace_seconds=60)
    with pytest.raises(Unauthorised):
        door.auth.session(token)


def test_failed_log_ins_of_one_address_are_limited_across_workers(door: Door) -> None:
    key = door.auth.create_key("reviewer", "ann")
    failures = [fail((door.auth, door.other)[n % 2], f"no key {n}").status for n in range(22)]
    assert failures == [401] * 20 + [429] * 2
    with pytest.raises(Overloaded) as caught:
        door.other.login(key, "10.0.0.1")
    assert caught.value.retry_after_s == 300
    assert door.auth.login(key, "10.0.0.2")


def test_failed_log_ins_with_one_prefix_are_limited_over_all_addresses(door: Door) -> None:
    failures = [fail(door.auth, WRONG, f"10.0.1.{n}").status for n in range(12)]
    assert failures == [401] * 10 + [429] * 2


def test_the_limit_passes_with_time(door: Door) -> None:
    for number in range(21):
        last = fail(door.auth, f"no key {number}")
    assert last.status == 429
    door.clock.advance(minutes=5)
    assert fail(door.auth).status == 401


def test_attempts_at_once_do_not_slip_past_the_limit(door: Door) -> None:
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: fail(door.auth).status, range(30)))
    assert statuses.count(401) == 10


def test_successful_log_ins_do_not_count(door: Door) -> None:
    key = door.auth.create_key("reviewer", "ann")
    tokens = {door.auth.login(key, "10.0.0.1") for _ in range(25)}
    assert len(tokens) == 25


def test_purging_keeps_living_sessions(door: Door) -> None:
    key = door.auth.create_key("reviewer", "ann")
    old = door.auth.login(key, "10.0.0.1")
    door.clock.advance(hours=7)
    young = door.auth.login(key, "10.0.0.1")
    door.auth.purge(door.clock.now.replace(hour=23))
    assert door.auth.session(young).name == "ann"
    with pytest.raises(Unauthorised):
        door.auth.session(old)


def test_a_role_that_may_not_is_forbidden() -> None:
    require(ADA, "safety", "admin")
    with pytest.raises(Forbidden):
        require(ANN, "safety", "admin")
    with pytest.raises(Forbidden):
        require(Principal("key_1", "x", "nonsense"))
