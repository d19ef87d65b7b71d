"""Settings: read once, refused when they cannot work."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path

import pytest

from prefilter.serving.settings import Settings, SettingsError


def test_an_empty_environment_gives_the_documented_defaults() -> None:
    made = Settings.from_env({})
    assert (made.host, made.port, made.policy) == ("127.0.0.1", 8080, "model-output")
    assert (made.max_body_bytes, made.max_items, made.max_text_chars) == (32 * 2**20, 1_000, 1_000_000)
    assert made.max_id_chars == 256


def test_every_field_is_read_from_its_variable() -> None:
    made = Settings.from_env({"PREFILTER_PORT": "0", "PREFILTER_MAX_ITEMS": "7", "PREFILTER_HOME": "/data"})
    assert (made.port, made.max_items, made.home) == (0, 7, Path("/data"))
    assert made.database_url == "sqlite:////data/prefilter.db"


def test_no_field_is_without_a_reader() -> None:
    names = [field.name for field in fields(Settings) if field.name != "environment"]
    made = Settings.from_env({f"PREFILTER_{name.upper()}": "1" for name in names})
    assert {name: getattr(made, name) for name in names if str(getattr(made, name)) not in ("1", "True")} == {}


def test_the_cores_are_shared_among_the_workers_and_the_queue_follows() -> None:
    cores = len(os.sched_getaffinity(0))
    alone, many = Settings.from_env({}), Settings.from_env({"PREFILTER_WORKERS": str(2 * cores)})
    assert (alone.workers, alone.engine_threads, many.engine_threads) == (1, cores, 1)
    assert alone.max_queued_tokens == cores * many.max_queued_tokens
    assert Settings.from_env({"PREFILTER_MAX_QUEUED_TOKENS": "7"}).max_queued_tokens == 7


def test_the_fast_stage_and_the_repeats_can_be_turned_off() -> None:
    assert (Settings.from_env({}).exact, Settings.from_env({}).repeats_mb) == (False, 64)
    off = Settings.from_env({"PREFILTER_EXACT": "true", "PREFILTER_REPEATS_MB": "0"})
    assert (off.exact, off.repeats_mb) == (True, 0)


def test_cookies_are_secure_in_production_unless_said_otherwise() -> None:
    production = {"PREFILTER_ENVIRONMENT": "production"}
    assert Settings.from_env(production).cookie_secure
    assert not Settings.from_env({**production, "PREFILTER_COOKIE_SECURE": "no"}).cookie_secure
    assert not Settings.from_env({}).cookie_secure


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PREFILTER_PORT", "eighty"),
        ("PREFILTER_PORT", "70000"),
        ("PREFILTER_MAX_ITEMS", "0"),
        ("PREFILTER_WORKERS", "0"),
        ("PREFILTER_REPEATS_MB", "-1"),
        ("PREFILTER_EXACT", "perhaps"),
        ("PREFILTER_COOKIE_SECURE", "maybe"),
        ("PREFILTER_ENVIRONMENT", "staging"),
    ],
)
def test_a_wrong_value_stops_the_start_and_names_the_variable(variable: str, value: str) -> None:
    with pytest.raises(SettingsError) as wrong:
        Settings.from_env({variable: value})
    assert wrong.value.field == variable
    assert value not in wrong.value.message
