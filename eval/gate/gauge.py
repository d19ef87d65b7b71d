"""The gauge: the gated metrics of an artefact measured on the suites that the gates name, or taken from beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from prefilter.eval.document import PolicyDescription, find, plain
from prefilter.eval.gate.gate_file import MANIFEST as MANIFEST_ROOT
from prefilter.eval.gate.gate_file import GateFile
from prefilter.eval.gate.measurement import GaugeError, Measurement, place_of
from prefilter.eval.gate.metric_gate import Reading
from prefilter.eval.judge.suite_judge import judge
from prefilter.eval.machine import describe_machine
from prefilter.eval.suites.suite import SuiteError, find_suite
from prefilter.eval.suites.suite_plan import Entry
from prefilter.models.manifest import Manifest

DIGITS = 6


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
    measured: dict[str, object] = {}
    if gates.entries:
        document, _ = judge(
            gates.entries, model=folder, workers=workers, data_dir=data_dir, cache_dir=cache_dir
        )
        basis |= {f"policy {name}": _edges_digest(policy) for name, policy in document.policies.items()}
        measured = plain(document)
    if Manifest.load(folder).measured_digest != digest:
        raise GaugeError(f"{folder.name} was changed while it was measured")
    measured[MANIFEST_ROOT] = manifest.metrics
    return Measurement(
        model=manifest.name,
        model_version=manifest.version,
        measured_sha256=digest,
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command,
        machine=describe_machine(),
        basis=basis,
        asked=gates.patterns,
        metrics={path: r for pattern in gates.patterns for path, r in read_metrics(measured, pattern)},
    )


def read_metrics(document: object, pattern: str) -> Iterator[tuple[str, Reading]]:
    """Find every defined value of a document (its plain form) under a path in which `*` stands for any one key."""
    for found in find(document, pattern):
        low_high = None if found.ci95 is None else (round(found.ci95[0], DIGITS), round(found.ci95[1], DIGITS))
        yield found.path, Reading(round(found.value, DIGITS), found.n, low_high)


def _suite_digest(entry: Entry, data_dir: Path | None) -> str:
    """Name the rows of a suite: its bytes, its split, and how many are drawn."""
    digest = hashlib.sha256(f"{entry.split} {entry.max_rows} ".encode())
    with find_suite(entry.target, data_dir=data_dir)[1].open("rb") as handle:
        while block := handle.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()[:16]


def _edges_digest(policy: PolicyDescription) -> str:
    """Name what a policy does to scores; its version and its reasons do nothing."""
    said = json.dumps([policy.edges, policy.unreadable, plain(policy).get("sources")], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:16]
