"""Loading: the model with the repeats of this machine, under a secret made once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fakes import CLEAN_TEXT, build_artefact
from prefilter.serving.model_loading import REPEATS, SECRET, load, open_repeats
from prefilter.serving.settings import Settings, SettingsError


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(build_artefact(tmp_path_factory.mktemp("model") / "fake-1"))


def test_what_one_process_answered_another_knows(tmp_path: Path, model: str) -> None:
    settings = Settings(home=tmp_path / "home", model=model, repeats_mb=1)
    (first, kept), (second, known) = load(settings), load(settings)
    assert kept is not None
    assert known is not None
    assert first.score_one(CLEAN_TEXT) == second.score_one(CLEAN_TEXT)
    assert (kept.hits, kept.misses, known.hits, known.misses) == (0, 1, 1, 0)
    modes = {path.name: path.stat().st_mode & 0o777 for path in settings.home.iterdir()}
    assert modes == {REPEATS: 0o600, SECRET: 0o600}


def test_zero_keeps_no_answers_and_makes_no_file(tmp_path: Path, model: str) -> None:
    settings = Settings(home=tmp_path / "home", model=model, repeats_mb=0)
    assert load(settings).repeats is None
    assert not settings.home.exists()


def test_all_who_start_at_once_agree_on_one_secret(tmp_path: Path, model: str) -> None:
    settings = Settings(home=tmp_path / "home", model=model, repeats_mb=1)
    with ThreadPoolExecutor(8) as pool:
        opened = list(pool.map(lambda _: open_repeats(settings), range(8)))
    keys = {repeats.key("a", "a", language=None, context=None) for repeats in opened if repeats is not None}
    assert (len(opened), len(keys)) == (8, 1)


def test_repeats_that_cannot_be_kept_stop_the_start_and_name_the_variable(tmp_path: Path, model: str) -> None:
    (tmp_path / REPEATS).mkdir()
    with pytest.raises(SettingsError) as wrong:
        load(Settings(home=tmp_path, model=model, repeats_mb=1))
    assert wrong.value.field == "PREFILTER_REPEATS_MB"
