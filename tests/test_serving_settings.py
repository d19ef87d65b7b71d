"""Settings: read once, refused when they cannot work."""

from __future__ import annotations

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
        ("PREFILTER_COOKIE_SECURE", "maybe"),
        ("PREFILTER_ENVIRONMENT", "staging"),
    ],
)
def test_a_wrong_value_stops_the_start_and_names_the_variable(variable: str, value: str) -> None:
    with pytest.raises(SettingsError) as wrong:
        Settings.from_env({variable: value})
    assert wrong.value.field == variable
    assert value not in wrong.value.message
