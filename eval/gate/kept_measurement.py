"""A model measured for its gates on request, and the measurement kept beside the model for `promote`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from prefilter.eval.gate.gate_file import GateFile
from prefilter.eval.gate.gauge import gauge
from prefilter.eval.gate.measurement import place_of
from prefilter.models.registry import resolve


@dataclass(frozen=True, slots=True)
class KeptMeasurement:
    """Where a measurement lies, of which model it is, and how many gated metrics it holds."""

    path: Path
    model_version: str
    metrics: int


def measure(
    name: str | None = None,
    *,
    store: Path | None = None,
    gates: Path | None = None,
    output: Path | None = None,
    workers: int | None = None,
    data_dir: Path | None = None,
    cache_dir: Path | None = None,
) -> KeptMeasurement:
    """Measure a model (default: the live one) for the gates of a file (default: the shipped ones), and keep that.

    Raises what `gauge` raises, GateError and RegistryError. `output`: instead of beside the model.
    """
    folder, file = resolve(name, store=store), GateFile.load(gates)
    words = ["prefilter model gauge", folder.name, *(["--gates", gates.name] if gates else [])]
    made = gauge(folder, file, data_dir=data_dir, cache_dir=cache_dir, workers=workers, command=" ".join(words))
    path = output or place_of(folder)
    made.save(path)
    return KeptMeasurement(path, made.model_version, len(made.metrics))
