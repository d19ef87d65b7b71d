"""The taxonomy: every category is defined, and the page says what the file says."""

from __future__ import annotations

from pathlib import Path

import pytest

from prefilter.models.labels import CATEGORIES
from prefilter.models.taxonomy import page, taxonomy

PAGE = Path(__file__).parent.parent / "docs" / "taxonomy.md"


def test_every_category_is_defined_in_order() -> None:
    assert tuple(taxonomy()) == CATEGORIES


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_category_has_examples_on_both_sides_and_labels(category: str) -> None:
    entry = taxonomy()[category]
    assert len(entry.definition) > 60
    assert len(entry.positive) >= 3
    assert len(entry.negative) >= 3
    assert entry.human_labels


def test_the_page_agrees_with_the_file() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()
