"""A recipe says exactly what is meant, or is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from prefilter.classifier.recipe import Recipe
from prefilter.classifier.recipe_tables import RecipeError

RELEASED = Path(__file__).parents[1] / "classifier" / "recipes" / "en-2.toml"


def test_the_released_recipe_reads():
    recipe = Recipe.load(RELEASED)
    assert recipe.name == "prefilter-en-2"
    assert set(recipe.licences) == {"open", "unstated"}


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        ({"name": "a", "version": "1", "learning_rate": 1}, "learning_rate"),
        ({"name": "a"}, "version"),
        ({"name": "a", "version": "1", "sources": {"s": {"wait": 1}}}, "wait"),
        ({"name": "a", "version": "1", "sources": {"s": {"presume_negative": ["rage"]}}}, "rage"),
        ({"name": "a", "version": "1", "own": [{"name": "x"}]}, "path"),
        ({"name": "a", "version": "1", "own": {"path": "x"}}, "own"),
        ({"name": "a", "version": "1", "sources": {"s": 1}}, "sources"),
    ],
)
def test_a_mistyped_recipe_is_refused_by_name(raw, named, tmp_path):
    with pytest.raises(RecipeError, match=named):
        Recipe.from_mapping(raw, base=tmp_path)
