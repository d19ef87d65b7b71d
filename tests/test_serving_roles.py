"""Every route with every role: the table of docs/api.md holds, and a new route must say who may use it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from prefilter.serving.auth import ROLES
from serving_client import Service, service

TABLE = Path(__file__).parent.parent / "docs" / "api.md"
ROW = re.compile(r"^\| `(GET|POST|DELETE) (\S+)`((?:, `GET \S+`)*) \| ([^|]+) \|", re.MULTILINE)
PEOPLE = frozenset({"reviewer", "lead"})
SPEAKS_OF_ALL = {"anyone": frozenset(ROLES)}


def _table() -> dict[tuple[str, str], frozenset[str]]:
    rows: dict[tuple[str, str], frozenset[str]] = {}
    for method, path, more, words in ROW.findall(TABLE.read_text(encoding="utf-8")):
        roles = SPEAKS_OF_ALL.get(words) or frozenset(re.findall(r"\w+", words)) & set(ROLES) | {"admin"}
        for each in (path, *re.findall(r"`GET (\S+)`", more)):
            rows[method, each] = frozenset(roles)
    return rows


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    home = tmp_path_factory.mktemp("roles")
    with service(f"sqlite:///{home / 'roles.db'}", home) as started:
        yield started


def test_the_table_names_every_route_and_no_other(running: Service) -> None:
    paths = running.call("GET", "/openapi.json", None).json()["paths"]
    assert {(method.upper(), path) for path, methods in paths.items() for method in methods} == set(_table())


@pytest.mark.parametrize("route", sorted(_table()), ids=" ".join)
def test_a_route_lets_in_the_roles_of_the_table_only(running: Service, route: tuple[str, str]) -> None:
    method, path = route[0], re.sub(r"\{\w+\}", "1", route[1])
    body = {"json": {"unheard": 1}} if method == "POST" and "/claim" not in path else {}
    let_in = {role for role in ROLES if running.call(method, path, role, **body).status_code not in (401, 403)}
    assert let_in == _table()[route]
    without = running.call(method, path, None, **body).status_code
    assert (without == 401) == (not path.endswith(("/healthz", "/readyz", "/metrics")))


def test_case_texts_are_for_people_and_not_for_safety() -> None:
    for (_, path), roles in _table().items():
        if path.startswith(("/v1/cases", "/v1/queues")):
            assert roles == PEOPLE | {"admin"}, path
