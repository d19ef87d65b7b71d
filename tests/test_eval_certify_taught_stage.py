"""A fast stage is taught into another model than the live one, and only where there is something to teach it with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fakes import build_artefact
from prefilter.classifier.fast.distil_recipe import DistilRecipe, LessonSource
from prefilter.eval.certify.taught_stage import teach_stage
from prefilter.models.known_error import WrongUse

RECIPE = DistilRecipe(
    name="fake-2", version="1", teacher="fake-1", policies=("monitor-only",), sources={"made": LessonSource()}
)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    for name in ("fake-1", "fake-2"):
        build_artefact(tmp_path / name, name=name)
    return tmp_path


def test_the_live_model_is_never_replaced(store: Path) -> None:
    (store / "live.json").write_text(json.dumps({"live": "fake-2", "before": []}), encoding="utf-8")
    with pytest.raises(WrongUse, match="fake-2 is live: write into another --store"):
        teach_stage(RECIPE, store=store)


def test_without_data_nothing_is_taught(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFILTER_DATA_DIR", raising=False)
    (store / "live.json").write_text(json.dumps({"live": "fake-1", "before": []}), encoding="utf-8")
    with pytest.raises(WrongUse, match="set PREFILTER_DATA_DIR"):
        teach_stage(RECIPE, store=store)
