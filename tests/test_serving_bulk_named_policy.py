"""A policy without a database: a preset, a TOML file, or what `policy show` printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prefilter.serving.bulk.bulk_errors import WrongRequest
from prefilter.serving.bulk.named_policy import find_policy
from prefilter.serving.policy.presets import load_preset

PRESET = load_preset("model-output")


@pytest.mark.parametrize("name", ["model-output", "model-output@1"])
def test_a_preset_is_found_by_its_name(name: str) -> None:
    assert find_policy(name) == PRESET


@pytest.mark.parametrize("named", ["strict@4.json", "strict@4", "anything"])
def test_an_export_is_the_policy_it_was_made_of(tmp_path: Path, named: str) -> None:
    path = tmp_path / ("anything" if named == "anything" else "strict@4.json")
    path.write_text(json.dumps({"name": "strict", "version": 4, **PRESET.to_body()}), encoding="utf-8")
    found = find_policy(str(tmp_path / named))
    assert (found.name, found.version, found.to_body()) == ("strict", 4, PRESET.to_body())


def test_a_toml_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text("[categories.hate]\nreview = 0.2\n", encoding="utf-8")
    assert find_policy(str(tmp_path / "own.toml")).categories["hate"].review == 0.2


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{", "neither TOML"),
        ("[]", "JSON object"),
        ('{"name": "x"}', "version"),
        ('{"name": "x", "version": 1, "categories": {"hate": {"review": 2}}}', "categories.hate.review"),
    ],
)
def test_a_broken_policy_is_told_with_its_field(tmp_path: Path, content: str, complaint: str) -> None:
    (tmp_path / "own.json").write_text(content, encoding="utf-8")
    with pytest.raises(WrongRequest, match=complaint):
        find_policy(str(tmp_path / "own.json"))


@pytest.mark.parametrize("name", ["no-such-policy", "model-output@2", "no/such/file.toml"])
def test_an_unknown_policy_is_refused_with_what_there_is(name: str) -> None:
    with pytest.raises(WrongRequest, match="model-output, pretraining-corpus, monitor-only"):
        find_policy(name)
