"""The gauge: the gated metrics of one artefact measured, and kept as one small JSON file beside it.

A measurement is of what a manifest says that bears on any number: it carries the digest of that, and is refused
beside any other; a fast stage and its certificates, which change no score, do not count. It carries digests of
the suites and of the policies' edges too, since two models compare only on the same rows under the same edges.
Numbers and digests only, never a text.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefilter.eval.evaluation import judge
from prefilter.eval.gate.gate_file import MANIFEST as MANIFEST_ROOT
from prefilter.eval.gate.gate_file import GateFile
from prefilter.eval.gate.gates import ANY_KEY, Reading, Readings
from prefilter.eval.judge.metrics import wilson
from prefilter.eval.machine import describe_machine
from prefilter.eval.suites.suite import SuiteError, find_suite
from prefilter.eval.suites.suite_plan import Entry
from prefilter.models.atomic_file import write_atomically
from prefilter.models.known_error import KnownError
from prefilter.models.manifest import Manifest

FORMAT = 1
ENDING = ".gauge.json"
DIGITS = 6
SHARES = {"allow": "n", "review": "n", "block": "n", "flips": "texts"}
"""Plain shares that carry no interval of their own, and the count beside them that they are shares of."""


class GaugeError(KnownError, ValueError):
    """A measurement is missing, broken, or of something else; the message says which."""


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


def kept_or_made(
    folder: Path, gates: GateFile, *, cache_dir: Path | None = None, again: str
) -> Measurement:
    """Return the measurement beside an artefact; make it where there is none and the suites are here.

    Raises GaugeError, which ends in the command `again`, where it is of other files, of other gates or cannot
    be made: a measurement that is there is never silently replaced.
    """
    path = place_of(folder)
    if path.is_file():
        kept = Measurement.load(path)
        try:
            kept.check(folder, gates)
        except GaugeError as error:
            raise GaugeError(f"{error}; measure it: {again}") from None
        return kept
    try:
        for entry in gates.entries:
            find_suite(entry.target)
    except SuiteError as error:
        raise GaugeError(f"{folder.name} has no measurement ({error}); measure it: {again}") from None
    made = gauge(folder, gates, cache_dir=cache_dir, command=again)
    made.save(path)
    return made


def other_basis(ours: Measurement, theirs: Measurement) -> list[str]:
    """Return the suites and policies that two measurements name alike but saw differently."""
    return [what for what, own in ours.basis.items() if theirs.basis.get(what, own) != own]


def place_of(folder: Path) -> Path:
    """Return where the measurement of the artefact in `folder` lies: beside it, so that no digest changes."""
    return folder.parent / f"{folder.name}{ENDING}"


def gauge(
    folder: Path,
    gates: GateFile,
    *,
    data_dir: Path | None = None,
    cache_dir: Path | None = None,
    workers: int | None = None,
    command: str = "",
) -> Measurement:
    """Measure every gated metric of the artefact in `folder` on the suites that the gates name.

    Raises SuiteError for a suite that is not there, ManifestError or ScorerError for a broken artefact, and
    GaugeError where the artefact was changed meanwhile.
    """
    manifest = Manifest.load(folder)
    digest = manifest.measured_digest
    basis = {f"suite {Path(e.target).stem}": _suite_digest(e, data_dir) for e in gates.entries}
    document: dict[str, Any] = {"machine": describe_machine()}
    if gates.entries:
        document, _ = judge(
            gates.entries, model=folder, workers=workers, data_dir=data_dir, cache_dir=cache_dir
        )
        basis |= {f"policy {name}": _edges_digest(body) for name, body in document["policies"].items()}
    if Manifest.load(folder).measured_digest != digest:
        raise GaugeError(f"{folder.name} was changed while it was measured")
    document[MANIFEST_ROOT] = manifest.metrics
    return Measurement(
        model=manifest.name,
        model_version=manifest.version,
        measured_sha256=digest,
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command,
        machine=document["machine"],
        basis=basis,
        asked=gates.patterns,
        metrics={path: r for pattern in gates.patterns for path, r in read_metrics(document, pattern)},
    )


def read_metrics(document: Mapping[str, Any], pattern: str) -> Iterator[tuple[str, Reading]]:
    """Find every defined value of a document under a path in which `*` stands for any one key."""
    *parents, last = pattern.split(".")
    tables: list[tuple[tuple[str, ...], Any]] = [((), document)]
    for part in parents:
        tables = [found for path, table in tables for found in _below(path, table, part)]
    for path, table in tables:
        for (*_, name), value in _below(path, table, last):
            if name != "ci95" and isinstance(value, int | float) and not isinstance(value, bool):
                yield ".".join((*path, name)), _reading_of(table, name, float(value))


def _below(path: tuple[str, ...], table: Any, part: str) -> list[tuple[tuple[str, ...], Any]]:
    if not isinstance(table, Mapping):
        return []
    keys = list(table) if part == ANY_KEY else [part] if part in table else []
    return [((*path, key), table[key]) for key in keys]


def _reading_of(table: Mapping[str, Any], name: str, value: float) -> Reading:
    """Return a value with the interval and the count that stand beside it."""
    n = table.get(SHARES.get(name, "n"))
    n = n if isinstance(n, int) else None
    bounds = (table.get("ci95") or {}).get(name)
    if bounds is None and name in SHARES and n:
        bounds = wilson(round(value * n), n)
    ci95 = None if not bounds else (round(float(bounds[0]), DIGITS), round(float(bounds[1]), DIGITS))
    return Reading(round(value, DIGITS), n, ci95)


def _reading(row: Mapping[str, Any]) -> Reading:
    low_high = row["ci95"]
    ci95 = None if low_high is None else (float(low_high[0]), float(low_high[1]))
    return Reading(float(row["value"]), row["n"], ci95)


def _row(reading: Reading) -> dict[str, Any]:
    return {"value": reading.value, "n": reading.n, "ci95": reading.ci95}


def _suite_digest(entry: Entry, data_dir: Path | None) -> str:
    """Name the rows of a suite: its bytes, its split, and how many are drawn."""
    digest = hashlib.sha256(f"{entry.split} {entry.max_rows} ".encode())
    with find_suite(entry.target, data_dir=data_dir)[1].open("rb") as handle:
        while block := handle.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()[:16]


def _edges_digest(body: Mapping[str, Any]) -> str:
    """Name what a policy does to scores; its version and its reasons do nothing."""
    edges = {head: (band.get("review"), band.get("block")) for head, band in body["categories"].items()}
    said = json.dumps([edges, body.get("unreadable"), body.get("sources")], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:16]
