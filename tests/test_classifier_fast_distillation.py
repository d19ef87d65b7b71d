"""The fast stage learns what the transformer says, ships the numbers it learned, and never sees a text held out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from fakes import build_artefact
from fast_samples import PLAIN_TEXT
from prefilter.classifier.corpus.sources import SourceError
from prefilter.classifier.fast.distil_recipe import DistilRecipe, LessonSource
from prefilter.classifier.fast.distillation import distil, verdict_name, verdicts
from prefilter.classifier.fast.lessons import PARTS, Lessons, gather, part_of, teach
from prefilter.classifier.fast.student import Kept, Student
from prefilter.classifier.fast.word_senses import word_senses
from prefilter.classifier.recipe_tables import RecipeError
from prefilter.models.fast.fast_stage import FastStage
from prefilter.models.fast.ngrams import ngrams
from prefilter.models.labels import HEADS
from prefilter.models.scorer import Scorer

EDGES = {"hate": 0.5}
RECIPE = DistilRecipe(
    name="fake",
    version="1",
    teacher="fake-1",
    policies=("p",),
    sources={"made": LessonSource()},
    width=8,
    hidden=16,
    epochs=4,
    rate=1e-2,
    batch_words=600,
    least_words=2,
    least_pairs=2,
    word_sense=0.0,
)
SENTENCE = "bread tea river boat mill stone apple bridge meadow valley town lake road garden window table"
WORDS = SENTENCE.split()


def taught(texts: int, rng: np.random.Generator) -> Lessons:
    """Texts of mild words, half of them with the one word that the teacher minds."""
    made, scores = [], np.full((texts, len(HEADS)), 0.01, dtype=np.float32)
    for row in range(texts):
        words = list(rng.choice(WORDS, rng.integers(16, 60)))
        if row % 2:
            words[rng.integers(len(words))] = "nettle"
            scores[row, HEADS.index("hate")] = 0.9
        made.append(" ".join(words))
    return Lessons(made, ["made"] * texts, np.zeros(texts, dtype=np.int8), scores)


def test_it_learns_the_teachers_verdict() -> None:
    arrays = distil(RECIPE, taught(2_000, np.random.default_rng(1)), {"p": EDGES})
    stage = FastStage(arrays, outputs=[*HEADS, verdict_name("p")])
    unseen = taught(400, np.random.default_rng(2))
    logits = [stage.logits(text) for text in unseen.texts]
    found = np.array([row[-1] for row in logits if row is not None])
    assert found[1::2].min() > found[0::2].max()


def test_what_ships_gives_the_numbers_that_were_learned() -> None:
    rng = np.random.default_rng(3)
    texts = [" ".join(rng.choice(WORDS, n)) for n in (16, 17, 30, 36, 47, 48)]
    found = [n for text in texts if (n := ngrams(text)) is not None]
    kept = Kept.most_frequent(found, words=12, pairs=50, least_words=2, least_pairs=2)
    torch.manual_seed(0)
    student = Student(kept, width=8, hidden=16, outputs=12, dropout=0.0).eval()
    arrays = student.arrays(kept)
    with torch.no_grad():
        for table, name, unseen in ((student.words, "words", 0), (student.pairs, "pairs", 1)):
            small = np.concatenate([arrays["unseen"][unseen][None], arrays[name]])
            table.weight.copy_(torch.from_numpy(small.astype(np.float32) * arrays["scale"]))
    stage = FastStage(arrays, outputs=[*HEADS, "verdict:p"])
    rows = [kept.rows(n) for n in found]
    longest = max(len(n) for n in found)
    padded = [np.array([np.pad(r[k], (0, longest - len(r[k]))) for r in rows], dtype=np.int64) for k in (0, 1)]
    with torch.no_grad():
        ours = student(*map(torch.from_numpy, padded), torch.tensor([len(n) for n in found])).numpy()
    shipped = np.array([stage.logits(text) for text in texts])
    np.testing.assert_allclose(shipped, ours, atol=1e-4)


def test_a_verdict_crosses_one_half_exactly_at_an_edge() -> None:
    scores = np.full((3, len(HEADS)), 0.01, dtype=np.float32)
    scores[:, HEADS.index("hate")] = 0.39, 0.4, 0.41
    found = verdicts(scores, {"hate": 0.4, "threat": 0.35}, 2.0)
    assert found[0] < 0.5 < found[2]
    assert found[1] == pytest.approx(0.5)


def test_senses_of_like_words_are_alike() -> None:
    words = ["bread", "loaf", "engine", "motor", *WORDS]
    senses = word_senses(words, np.ones(len(words), dtype=np.int64), width=8)
    units = senses / np.linalg.norm(senses, axis=1, keepdims=True)
    assert units[0] @ units[1] > units[0] @ units[2]
    assert units[2] @ units[3] > units[0] @ units[2]


def write_data(folder: Path, texts: dict[str, list[str]], split: str = "train") -> Path:
    (folder / "en").mkdir(parents=True, exist_ok=True)
    lines = ["dataset,folder,rows,dropped,licence,labels"]
    for name, rows in texts.items():
        pq.write_table(pa.table({"text": rows, "split": [split] * len(rows)}), folder / "en" / f"{name}.parquet")
        lines.append(f"{name},en,{len(rows)},0,{'nc' if name == 'closed' else 'open'},human")
    (folder / "catalogue.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_parts_share_no_text_and_a_suite_teaches_nothing(tmp_path: Path) -> None:
    texts = [f"Line {n} tells of bread and {n * 7} boats." for n in range(2_000)]
    data = write_data(tmp_path, {"made": [*texts, *texts[:50]], "hatecheck": texts[:100]})
    found, source, part = gather(RECIPE, data)
    assert len(found) == len(set(found))
    lessons = {text for text, p in zip(found, part, strict=True) if PARTS[p] == "lesson"}
    assert not lessons & set(texts[:100])
    assert [part_of(text, held_out=False) for text in found] == [PARTS[p] for p in part]
    shares = np.bincount(part, minlength=3) / len(texts)
    assert shares == pytest.approx([0.85 * 0.95, 0.13, 0.0], abs=0.03)
    assert set(source) == {"made"}


def test_test_rows_of_a_benign_source_are_never_lessons(tmp_path: Path) -> None:
    data = write_data(tmp_path, {"made": [f"Line {n} tells of tea." for n in range(200)]}, split="test")
    assert gather(RECIPE, data)[0] == []
    benign = DistilRecipe(
        name="f", version="1", teacher="t", policies=(), sources={"made": LessonSource(benign=True)}
    )
    _, _, part = gather(benign, data)
    assert set(part) == {PARTS.index("calibration")}


def test_a_source_under_another_licence_is_refused(tmp_path: Path) -> None:
    data = write_data(tmp_path, {"closed": ["A line of bread."]})
    closed = DistilRecipe(name="f", version="1", teacher="t", policies=(), sources={"closed": LessonSource()})
    with pytest.raises(SourceError, match="closed"):
        gather(closed, data)


def test_a_broken_run_scores_no_text_twice(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data", {"made": [PLAIN_TEXT, "Bread and tea.", "That was a rude thing."]})
    scorer = Scorer.load(build_artefact(tmp_path / "fake-1"))
    first = teach(RECIPE, tmp_path / "run", data, scorer)
    scorer.score = lambda *_, **__: pytest.fail("asked again")  # type: ignore[method-assign]
    again = teach(RECIPE, tmp_path / "run", data, scorer)
    assert again.texts == first.texts
    np.testing.assert_array_equal(again.scores, first.scores)
    assert first.scores[first.texts.index("That was a rude thing."), HEADS.index("insult")] > 0.9


def test_a_recipe_with_an_unknown_key_is_refused() -> None:
    with pytest.raises(RecipeError, match="widht"):
        DistilRecipe.from_mapping({"name": "f", "version": "1", "teacher": "t", "policies": [], "widht": 3})
    with pytest.raises(RecipeError, match="lacks sources"):
        DistilRecipe.from_mapping({"name": "f", "version": "1", "teacher": "t", "policies": []})
