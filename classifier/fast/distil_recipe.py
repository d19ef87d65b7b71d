"""The recipe of a fast stage: which texts teach it, how large it is and how long it learns, in one TOML file.

Knows names of sources and policies and numbers; reads no data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from prefilter.classifier.recipe_tables import Table, built, named_tables, read_toml, read_values, require


@dataclass(frozen=True, slots=True)
class LessonSource:
    """At most `rows` lessons of a source, each counting `weight` in the loss; of a `benign` one also its test rows,
    which no training sees and which only serve calibration and trial. Texts of a `paired` source certify nothing:
    recipes split pairs as one, so a text's partner may have trained the transformer."""

    rows: int = 6000
    weight: float = 1.0
    benign: bool = False
    paired: bool = False


@dataclass(frozen=True, slots=True)
class DistilRecipe:
    """The whole recipe; see `classifier/recipes/en-2-fast.toml`.

    `policies`: those for whose edges a verdict is learned. `word_rows`, `pair_rows`: vectors kept, at most;
    `least_words`, `least_pairs`: how often a bucket must be met to have one. `unseen_share`: words hidden in training,
    so that the vector of unseen ones is learned. `short_weight`: of texts too short to be cleared.
    """

    name: str
    version: str
    teacher: str
    policies: tuple[str, ...]
    seed: int = 5
    languages: tuple[str, ...] = ("en",)
    licences: tuple[str, ...] = ("open", "unstated")
    width: int = 32
    hidden: int = 128
    word_rows: int = 40_000
    pair_rows: int = 45_000
    least_words: int = 3
    least_pairs: int = 6
    dropout: float = 0.2
    unseen_share: float = 0.1
    short_weight: float = 0.3
    positive_weight: float = 1.5
    verdict_weight: float = 4.0
    sharpness: float = 2.0
    rate: float = 2e-3
    epochs: int = 6
    batch_words: int = 12_000
    word_sense: float = 0.3
    sources: Mapping[str, LessonSource] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> DistilRecipe:
        """Read a recipe from a TOML file; raises `RecipeError` naming what is unknown or missing."""
        return cls.from_mapping(read_toml(path))

    @classmethod
    def from_mapping(cls, raw: Table) -> DistilRecipe:
        """Build a recipe from parsed TOML; raises `RecipeError`."""
        values = read_values(raw, cls, "recipe")
        values["sources"] = {
            name: built(LessonSource, read_values(rule, LessonSource, f"sources.{name}"))
            for name, rule in named_tables(raw, "sources").items()
        }
        require(raw, ("name", "version", "teacher", "policies", "sources"))
        return built(cls, values)
