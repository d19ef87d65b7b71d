"""A small real training run on the real encoder: it learns, resumes after a kill, and is released as an artefact."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from safetensors.torch import load_file

from prefilter.classifier.corpus.merging import load_examples
from prefilter.classifier.corpus.tokenised import tokenise
from prefilter.classifier.encoder import encoder_dir, encoder_tokenizer
from prefilter.classifier.graph.fidelity import ExportRefused
from prefilter.classifier.recipe_tables import RecipeError
from prefilter.classifier.release.release import _left_out, release
from prefilter.classifier.training.harm_network import HarmNetwork
from prefilter.classifier.training.trainer import Trainer
from prefilter.models.manifest import Manifest
from prefilter.models.scorer import Scorer
from training_samples import recipe as small_recipe

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("training")
    recipe = small_recipe(folder)
    examples, _ = load_examples(recipe, None)
    record = Trainer(recipe, examples, folder / "run").run()
    return recipe, folder / "run", examples, record


@pytest.fixture(scope="module")
def artefact(run, tmp_path_factory):
    recipe, run_dir, _, _ = run
    return release(recipe, run_dir, tmp_path_factory.mktemp("store"), data_dir=None)


def test_the_run_reaches_its_budget_and_says_what_it_did(run):
    recipe, run_dir, examples, record = run
    assert record["tokens"] >= recipe.total_tokens
    assert record["examples"] == len(examples.of("train"))
    assert json.loads((run_dir / "training.json").read_text()) == record


def test_the_released_model_has_learned_harm_from_calm(artefact):
    scored = Scorer.load(artefact).score(["horrid market garden letter 5.", "river market garden letter 5."])
    assert scored[0].scores["toxicity"] > 0.8
    assert scored[1].scores["toxicity"] < 0.2


def test_the_manifest_tells_figures_sources_and_what_is_uncalibrated(artefact):
    manifest = Manifest.load(artefact)
    assert manifest.metrics["development"]["toxicity"]["auroc"] > 0.95
    assert manifest.training_sources[0]["name"] == "rows"
    assert "sexual" in manifest.uncalibrated
    assert "toxicity" not in manifest.uncalibrated
    assert "never rises" in (artefact / "README.md").read_text()


def test_a_run_killed_in_the_middle_ends_with_the_same_weights(run, tmp_path, monkeypatch):
    recipe, run_dir, examples, _ = run
    killed = Trainer(recipe, examples, tmp_path)
    step = killed._step

    def dying_step(*args):
        if killed.progress.step == 20:
            killed.checkpoint.save(killed.progress)
            raise KeyboardInterrupt
        step(*args)

    monkeypatch.setattr(killed, "_step", dying_step)
    with pytest.raises(KeyboardInterrupt):
        killed.run()
    Trainer(recipe, examples, tmp_path).run()
    whole, resumed = (load_file(d / "weights.safetensors") for d in (run_dir, tmp_path))
    assert all(np.allclose(whole[k], resumed[k], atol=2e-4) for k in whole)


def test_embeddings_and_lower_layers_stay_as_they_were(run):
    recipe, run_dir, _, _ = run
    trained = load_file(run_dir / "weights.safetensors")
    base = HarmNetwork.from_encoder(encoder_dir(recipe.encoder), marks=(101, 102)).state_dict()
    moved = {k for k in trained if k.startswith("encoder.") and not np.array_equal(trained[k], base[k])}
    assert moved
    assert all(k.startswith(("encoder.encoder.layer.4.", "encoder.encoder.layer.5.")) for k in moved)


def test_a_release_that_flips_too_many_decisions_is_refused(run, tmp_path):
    recipe, run_dir, _, _ = run
    with pytest.raises(ExportRefused, match="flips"):
        release(dataclasses.replace(recipe, flip_budget=-1.0), run_dir, tmp_path, data_dir=None)
    assert not (tmp_path / "small").exists()


def test_training_reads_the_windows_the_scorer_reads(run):
    recipe, _, examples, _ = run
    tokenizer = encoder_tokenizer(recipe)
    found = tokenise(examples.texts[:3], tokenizer, recipe)
    assert found.window(0).tolist()[0] == tokenizer.token_to_id("[CLS]")
    assert found.window(0).tolist()[-1] == tokenizer.token_to_id("[SEP]")


def test_a_checkpoint_of_another_recipe_is_not_continued(run):
    recipe, run_dir, examples, _ = run
    other = dataclasses.replace(recipe, head_rate=1e-4)
    with pytest.raises(RecipeError, match="another recipe"):
        Trainer(other, examples, run_dir).run()


def test_a_release_never_writes_over_the_live_model(run, tmp_path):
    recipe, run_dir, _, _ = run
    (tmp_path / "live.json").write_text(json.dumps({"live": recipe.name}))
    with pytest.raises(RecipeError, match="is live"):
        release(recipe, run_dir, tmp_path, data_dir=None)


def test_the_leave_out_measure_of_another_recipe_is_refused(run):
    recipe, *_ = run
    with pytest.raises(RecipeError, match="another recipe"):
        _left_out({"recipe": "other@1"}, recipe)
    assert _left_out({"recipe": "small@1"}, recipe)
