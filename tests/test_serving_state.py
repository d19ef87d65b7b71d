"""The state of an application: two frozen values, the only way from a route to a use case."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

import prefilter.serving
from prefilter.serving.app import create_app
from prefilter.serving.errors import NotReady
from prefilter.serving.settings import Settings
from prefilter.serving.state import Parts, Running, parts_of, running_of, state_of
from serving_client import service

ROOM = Path(prefilter.serving.__file__).parent


def test_before_the_start_there_are_the_parts_and_nothing_that_runs(sqlite_url: str, tmp_path: Path) -> None:
    app = create_app(Settings(database_url=sqlite_url, home=tmp_path))
    request = SimpleNamespace(app=app)
    assert parts_of(request) is state_of(app).parts
    assert state_of(app).admin_key is None
    with pytest.raises(NotReady) as refused:
        running_of(request)
    assert refused.value.retry_after_s == 1


def test_what_runs_is_there_from_the_start_to_the_stop(sqlite_url: str, tmp_path: Path) -> None:
    with service(sqlite_url, tmp_path) as started:
        running = running_of(SimpleNamespace(app=started.app))
        assert running.engine.ready
        assert running.screening.model_version == running.scorer.model_version
    assert state_of(started.app).running is None


@pytest.mark.parametrize("value", [Parts, Running])
def test_neither_value_can_be_changed(value: type) -> None:
    made = value(*[None] * len(dataclasses.fields(value)))
    for name in [field.name for field in dataclasses.fields(value)]:
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(made, name, None)


def test_no_route_reaches_around_the_typed_state() -> None:
    files = [file for folder in ("api", "compat", "console") for file in (ROOM / folder).rglob("*.py")]
    assert len(files) > 30
    assert [file.name for file in files if re.search(r"\bapp\.state\b", file.read_text(encoding="utf-8"))] == []
