"""The model of a results document: what its manifest says of it, and how a card reads the metrics of its making.

`metrics` and `training_sources` are the maker's words and are kept as they came; `making` reads of them what a card
tells, each part only where it is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from prefilter.eval.document.json_parts import Part, read
from prefilter.eval.document.left_out_measures import LeftOutMeasures


@dataclass(frozen=True, slots=True, kw_only=True)
class DevelopmentMeasures(Part):
    """One head on the development split."""

    n: int | None = None
    positives: int | None = None
    auprc: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantisationMeasures(Part):
    """What the maker measured of int8: the share of decisions that it flips at `edges`, on so many texts."""

    flips: float | None = None
    texts: int | None = None
    edges: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRecord(Part):
    """What training cost."""

    tokens: int
    seconds: float
    device: str
    threads: int
    recipe: str | None = None
    examples: int | None = None
    seed: int | None = None
    torch: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Making(Part):
    """The metrics of a manifest that a card tells, by head where they are maps."""

    development: Mapping[str, DevelopmentMeasures] | None = None
    development_fp32: Mapping[str, DevelopmentMeasures] | None = None
    int8: QuantisationMeasures | None = None
    calibration_error: Mapping[str, float | None] | None = None
    human_positives: Mapping[str, int] | None = None
    training: TrainingRecord | None = None
    leave_one_source_out: LeftOutMeasures | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSource(Part):
    """One source that the model was made from."""

    name: str
    licence: str
    labels: str | None = None
    train: int | None = None
    calibration: int | None = None
    development: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Window(Part):
    """How the model reads: word pieces of a window, of its overlap with the next, and of the context."""

    length: int
    overlap: int
    context: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDescription(Part):
    """What is judged; a baseline has a name and heads only."""

    name: str
    version: str | None = None
    created_at: str | None = None
    encoder: str | None = None
    window: Mapping[str, int] | None = None
    spans: Mapping[str, float] | None = None
    heads: tuple[str, ...] | None = None
    categories: tuple[str, ...]
    uncalibrated: tuple[str, ...]
    calibration_mix: Mapping[str, float]
    languages: tuple[str, ...]
    training_sources: tuple[Mapping[str, object], ...] | None = None
    metrics: Mapping[str, object] | None = None

    @property
    def making(self) -> Making:
        """The metrics as a card reads them; raises PartError where they have another shape."""
        return read(Making, self.metrics or {}, at="model.metrics")

    @property
    def reads(self) -> Window | None:
        """Its windows, None for what has none."""
        return read(Window, self.window, at="model.window") if self.window else None

    @property
    def sources(self) -> tuple[TrainingSource, ...]:
        """What it was made from; raises PartError where a source lacks its name or licence."""
        return tuple(read(TrainingSource, own, at="model.training_sources") for own in self.training_sources or ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Int8Cost(Part):
    """What int8 loses against fp32 on the development split."""

    auprc_loss: Mapping[str, float]
    flips: float
    texts: int
    edges: tuple[float, ...]


def int8_cost(making: Making) -> Int8Cost | None:
    """Return what int8 loses, None where the maker did not measure it."""
    ours, theirs, own = making.development, making.development_fp32, making.int8
    if not ours or not theirs or own is None or own.flips is None or own.texts is None:
        return None
    loss = {
        head: before.auprc - after.auprc
        for head, after in ours.items()
        if (before := theirs.get(head)) is not None and before.auprc is not None and after.auprc is not None
    }
    return Int8Cost(auprc_loss=loss, flips=own.flips, texts=own.texts, edges=own.edges)
