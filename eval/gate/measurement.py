"""A measurement: the gated metrics of one artefact, kept as one small JSON file beside it.

It is of what a manifest says that bears on any number: it carries the digest of that, and is refused beside any other;
a fast stage and its certificates, which change no score, do not count. It carries digests of the suites and of the
policies' edges too, since two models compare only on the same rows under the same edges. Numbers and digests only,
never a text. How they are measured is told in `gauge`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from prefilter.eval.document import Part, plain, read
from prefilter.eval.gate.gate_file import GateFile
from prefilter.eval.gate.metric_gate import Reading, Readings
from prefilter.models.atomic_file import write_atomically
from prefilter.models.known_error import KnownError
from prefilter.models.manifest import Manifest

FORMAT = 1
ENDING = ".gauge.json"


class GaugeError(KnownError, ValueError):
    """A measurement is missing, broken, or of something else; the message says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptReading(Part):
    """A reading as its line of the file."""

    value: float
    n: int | None
    ci95: tuple[float, float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """The gated metrics of one artefact. `basis`: digests of the suites and policies; `asked`: the paths."""

    model: str
    model_version: str
    measured_sha256: str
    measured_at: str
    command: str
    machine: Mapping[str, str | int]
    basis: Mapping[str, str]
    asked: tuple[str, ...]
    metrics: Readings

    @classmethod
    def load(cls, path: Path) -> Measurement:
        """Read a measurement; raises GaugeError where the file is none."""
        try:
            raw = json.loads(path.read_bytes())
            if raw.pop("format") != FORMAT:
                raise ValueError(FORMAT)
            metrics = {key: _reading(row) for key, row in raw.pop("metrics").items()}
            return cls(**raw | {"asked": tuple(raw["asked"]), "metrics": metrics})
        except OSError as error:
            raise GaugeError(f"{path}: {error.strerror or 'cannot be read'}") from None
        except (ValueError, TypeError, KeyError, AttributeError):
            raise GaugeError(f"{path}: not a measurement of format {FORMAT}") from None

    def save(self, path: Path) -> None:
        """Write the measurement, one line per metric."""
        fields = {"format": FORMAT} | {name: getattr(self, name) for name in self.__slots__[:-1]}
        head = [f" {json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in fields.items()]
        rows = [f"  {json.dumps(k)}: {json.dumps(_row(r))}" for k, r in sorted(self.metrics.items())]
        metrics = ' "metrics": {\n' + ",\n".join(rows) + "\n }"
        write_atomically(path, ("{\n" + ",\n".join([*head, metrics]) + "\n}\n").encode())

    def check(self, folder: Path, gates: GateFile) -> None:
        """Raise GaugeError unless this is of the artefact in `folder` and answers every gate."""
        if self.measured_sha256 != Manifest.load(folder).measured_digest:
            raise GaugeError(f"{folder.name} was measured with other files than these")
        if not set(gates.patterns) <= set(self.asked):
            raise GaugeError(f"{folder.name} was measured for other gates than {gates.path.name}")


def other_basis(ours: Measurement, theirs: Measurement) -> list[str]:
    """Return the suites and policies that two measurements name alike but saw differently."""
    return [what for what, own in ours.basis.items() if theirs.basis.get(what, own) != own]


def place_of(folder: Path) -> Path:
    """Return where the measurement of the artefact in `folder` lies: beside it, so that no digest changes."""
    return folder.parent / f"{folder.name}{ENDING}"


def _reading(row: object) -> Reading:
    kept = read(KeptReading, row, at="metrics")
    return Reading(float(kept.value), kept.n, kept.ci95)


def _row(reading: Reading) -> dict[str, object]:
    return plain(KeptReading(value=reading.value, n=reading.n, ci95=reading.ci95))
