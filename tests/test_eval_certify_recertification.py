"""A safety team certifies its own edges on its own texts; until then nothing is cleared under them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fakes import BORDERLINE_TEXT, build_artefact
from fast_samples import PLAIN_TEXT, UNSEEN_BY_IT, VERDICT, add_fast_stage
from prefilter.cli.main import main
from prefilter.eval.certify.certificates import Cannot
from prefilter.eval.certify.recertification import certify
from prefilter.models.fast.fast_stage import FastStageError
from prefilter.models.manifest import Manifest
from prefilter.models.scorer import Scorer

EDGES = {"toxicity": 0.5, "illicit": 0.4}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return add_fast_stage(build_artefact(tmp_path / "fake-1"))


def flagged(n: int, *, word: str = "rude") -> list[str]:
    return [PLAIN_TEXT, *(f"{PLAIN_TEXT} Line {i} is a {word} thing to say." for i in range(n))]


def test_own_edges_are_certified_on_own_texts(folder: Path) -> None:
    assert Scorer.load(folder).certificate_for(EDGES) is None
    found = certify(folder, [*flagged(620), *flagged(1)], EDGES, name="ours", threads=2)
    assert isinstance(found, dict)
    assert (found["flagged"], found["flagged_cleared"], found["verdict"]) == (620, 0, VERDICT)
    scorer = Scorer.load(folder)
    assert scorer.certificate_for(EDGES) == "ours"
    assert scorer.score_one(PLAIN_TEXT, certificate="ours").stage == "fast"


def test_a_second_certificate_of_a_name_takes_the_place_of_the_first(folder: Path) -> None:
    for edges in (EDGES, {"toxicity": 0.6}):
        certify(folder, flagged(620), edges, name="ours", threads=2)
    (left,) = Manifest.load(folder).fast["certificates"]
    assert left["edges"] == {"toxicity": 0.6}


def test_harm_the_stage_does_not_see_is_certified_away(folder: Path) -> None:
    texts = flagged(620) + flagged(620, word=UNSEEN_BY_IT)
    certify(folder, flagged(620), EDGES, name="before", threads=2)
    assert certify(folder, texts, EDGES, name="ours", threads=2) == Cannot(0)
    assert Manifest.load(folder).fast["certificates"] == []


def test_too_few_texts_refute_nothing(folder: Path) -> None:
    certify(folder, flagged(620), EDGES, name="before", threads=2)
    assert certify(folder, flagged(5), EDGES, name="ours", threads=2) == Cannot(593)
    assert [c["name"] for c in Manifest.load(folder).fast["certificates"]] == ["before"]


def test_new_texts_certify_the_same_edges_anew_under_any_name(folder: Path) -> None:
    for name in ("before", "ours"):
        certify(folder, flagged(620), EDGES, name=name, threads=2)
    assert [c["name"] for c in Manifest.load(folder).fast["certificates"]] == ["ours"]


def test_a_model_without_a_fast_stage_and_an_unknown_verdict_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(FastStageError, match="no fast stage"):
        certify(build_artefact(tmp_path / "fake-2"), [], EDGES, name="ours", threads=1)
    with pytest.raises(FastStageError, match="gives verdict:fake"):
        certify(folder, [], EDGES, name="ours", threads=1, verdict="verdict:other")


def test_the_command_says_how_many_texts_are_missing(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "texts.jsonl"
    file.write_text("\n".join(json.dumps({"text": text}) for text in [*flagged(5), BORDERLINE_TEXT]))
    code = main(["model", "certify", str(file), "--policy", "model-output", "--model", str(folder)])
    assert code == 1
    assert "cannot certify, 593 more flagged texts are needed" in capsys.readouterr().err
