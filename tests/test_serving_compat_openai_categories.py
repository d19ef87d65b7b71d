"""OpenAI's 13 categories: each says its source and measured quality, and no flagged text is without a category."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from prefilter.models.labels import HEADS
from prefilter.serving.compat.openai.openai_categories import marked, openai_categories
from prefilter.serving.policy.policy import Bands

DOCS = Path(__file__).parents[1] / "docs"
BANDS = {head: Bands(0.5, None) for head in HEADS}


def scores(**high: float) -> dict[str, np.float32]:
    return {head: np.float32(high.get(head, 0.01)) for head in HEADS}


def test_a_category_of_two_heads_has_the_lower_score() -> None:
    found = {category.name: category.score(scores(hate=0.9, threat=0.3)) for category in openai_categories()}
    assert found["hate"] == pytest.approx(0.9)
    assert found["hate/threatening"] == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("high", "true"),
    [
        ({"hate": 0.9}, {"hate"}),
        ({"hate": 0.9, "threat": 0.6}, {"hate", "hate/threatening"}),
        ({"threat": 0.9}, {"harassment/threatening"}),
        ({"profanity": 0.9}, {"harassment"}),
        ({"any": 0.9, "violence": 0.4}, {"violence"}),
        ({"sexual": 0.6}, {"sexual", "sexual/minors"}),
    ],
)
def test_what_is_flagged_is_marked_somewhere(high: dict[str, float], true: set[str]) -> None:
    because = [head for head, score in high.items() if score >= 0.5]
    assert marked(scores(**high), BANDS, because) == true


def test_a_text_without_scores_is_marked_nowhere() -> None:
    assert marked({}, BANDS, [None]) == frozenset()


def test_every_head_of_ours_is_in_some_category() -> None:
    placed = {head for category in openai_categories() for head in (*category.heads, *category.stands_for)}
    assert placed == set(HEADS) - {"any"}


def test_the_quality_that_answers_state_is_what_was_measured() -> None:
    model = json.loads((DOCS / "model.json").read_text(encoding="utf-8"))
    derived = {found["name"]: found for found in model["subcategories"]}
    for category in openai_categories():
        if category.kind == "trained":
            found = model["suites"][category.quality["suite"]]["categories"][category.heads[0]]
        else:
            evidence = derived[category.name]["evidence"]
            assert derived[category.name]["heads"] == list(category.heads)
            assert bool(evidence) == bool(category.quality)
            if not evidence:
                continue
            found = next(e for e in evidence if e["suite"] == category.quality["suite"])
            assert found["weak"] == category.quality.get("weak", False)
            assert found["seen"] == category.quality.get("seen", False)
        for name in ("n", "positives"):
            assert found[name] == category.quality[name]
        for name in ("auprc", "auroc"):
            assert found[name] == pytest.approx(category.quality[name], abs=0.0005), category.name


def test_the_page_says_the_same() -> None:
    page = (DOCS / "moderations.md").read_text(encoding="utf-8")
    for category in openai_categories():
        row = next(line for line in page.splitlines() if line.startswith(f"| `{category.name}` |"))
        assert f"| {' and '.join(f'`{head}`' for head in category.heads)} | {category.kind} |" in row
        stated = [float(number) for number in re.findall(r"0\.\d{3}", row)]
        assert stated == [category.quality[name] for name in ("auprc", "auroc") if category.quality]
