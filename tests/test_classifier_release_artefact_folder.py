"""An artefact enters its store whole, or the store stays as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes import build_artefact
from prefilter.classifier.release import artefact_folder
from prefilter.models.manifest import ManifestError, verify


def build_damaged(fresh: Path) -> None:
    build_artefact(fresh, name="fake")
    (fresh / "calibration.json").write_text("{}", encoding="utf-8")


def names(store: Path) -> list[str]:
    return sorted(path.name for path in store.iterdir())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store that holds one artefact, `fake`."""
    with artefact_folder.artefact_folder(tmp_path / "fake") as fresh:
        build_artefact(fresh, name="fake")
    return tmp_path / "fake"


def test_an_artefact_is_whole_in_its_place(folder: Path) -> None:
    assert verify(folder).name == "fake"
    assert names(folder.parent) == ["fake"]


def test_what_does_not_match_its_manifest_replaces_nothing(folder: Path) -> None:
    with pytest.raises(ManifestError, match="sha256 differs"), artefact_folder.artefact_folder(folder) as fresh:
        build_damaged(fresh)
    assert verify(folder).name == "fake"
    assert names(folder.parent) == ["fake"]


def test_what_is_above_the_limit_replaces_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artefact_folder, "LIMIT_BYTES", 10)
    with pytest.raises(ValueError, match="the limit is"), artefact_folder.artefact_folder(folder) as fresh:
        build_artefact(fresh, name="fake")
    assert names(folder.parent) == ["fake"]
