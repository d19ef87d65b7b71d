"""The registry: a model by name, by path, by the environment, or the live one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fakes import build_artefact
from prefilter.models.registry import RegistryError, list_models, live_name, resolve, store_dir, verify_model


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("PREFILTER_MODEL", raising=False)
    for name in ("fake-1", "fake-2"):
        build_artefact(tmp_path / name, name=name)
    (tmp_path / "live.json").write_text(json.dumps({"live": "fake-1"}))
    return tmp_path


def test_models_are_listed_with_their_stage(store: Path) -> None:
    (store / "half-written").mkdir()
    assert [(m.name, m.version, m.stage) for m in list_models(store)] == [
        ("fake-1", "fake-1", "live"),
        ("fake-2", "fake-2", "candidate"),
    ]


def test_the_live_model_is_the_default(store: Path) -> None:
    assert resolve(store=store) == store / "fake-1"


def test_the_environment_overrides_the_live_model(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFILTER_MODEL", "fake-2")
    assert resolve(store=store) == store / "fake-2"
    assert resolve("fake-1", store=store) == store / "fake-1"


def test_a_model_is_found_by_its_folder(store: Path, tmp_path: Path) -> None:
    assert resolve(store / "fake-2", store=tmp_path / "none") == store / "fake-2"
    assert verify_model(str(store / "fake-2")).name == "fake-2"


@pytest.mark.parametrize("asked", ["fake-3", "../fake-1/..", "/nowhere"])
def test_an_unknown_model_is_named(store: Path, asked: str) -> None:
    with pytest.raises(RegistryError, match="no model"):
        resolve(asked, store=store)


def test_a_store_without_a_live_model_says_so(store: Path) -> None:
    (store / "live.json").unlink()
    assert live_name(store) is None
    with pytest.raises(RegistryError, match="no live model"):
        resolve(store=store)


@pytest.mark.parametrize("text", ["", "[]", '{"live": "../x"}', '{"live": 3}'])
def test_a_broken_pointer_is_refused(store: Path, text: str) -> None:
    (store / "live.json").write_text(text)
    with pytest.raises(RegistryError, match=r"live\.json"):
        resolve(store=store)


def test_the_store_comes_with_the_package() -> None:
    assert store_dir().name == "store"
