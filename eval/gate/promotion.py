"""The pointer to the live model, moved: `live.json` in the store names the live model and those before it.

Reading it is the registry's; only a person moves it, by `prefilter model promote` and `rollback`. A model
whose files differ from its manifest never becomes live, and none is promoted that falls through a gate
(docs/adr/0009). Going back asks no gate: in an emergency it must always be possible.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from prefilter.models.atomic_file import write_atomically
from prefilter.models.manifest import MANIFEST, NAME
from prefilter.models.registry import LIVE, RegistryError, live_name, store_dir, verify_model

if TYPE_CHECKING:
    from prefilter.eval.gate.findings import Finding

KEPT = 20


@dataclass(frozen=True, slots=True)
class Promotion:
    """What came of a promotion: the live model before it, and what the gates found of the candidate."""

    before: str | None
    findings: list[Finding]

    @property
    def fell(self) -> int:
        """How many gated metrics fell; the pointer moved only where none did."""
        return sum(finding.fell for finding in self.findings)


def promote(
    name: str, *, store: Path | None = None, gates: Path | None = None, cache_dir: Path | None = None
) -> Promotion:
    """Make `name` live if it falls through no gate of the file `gates` (default: the shipped ones).

    Raises RegistryError, ManifestError, GateError or GaugeError where it cannot be judged: nothing changes.
    """
    from prefilter.eval.gate.findings import compare
    from prefilter.eval.gate.gate_file import GateFile
    from prefilter.eval.gate.gauge import kept_or_made
    from prefilter.eval.gate.measurement import GaugeError, other_basis

    root = store or store_dir()
    if NAME.fullmatch(name) is None or not (root / name / MANIFEST).is_file():
        raise RegistryError(f"no model {name!r} in {root}")
    verify_model(name, store=root)
    before = live_name(root)
    if before is not None and not (root / before / MANIFEST).is_file():
        raise RegistryError(f"the live model {before!r} is not in {root}: roll back before promoting")
    file = GateFile.load(gates)
    options = (f" --store {store}" if store else "") + (f" --gates {gates}" if gates else "")

    def again(model: str) -> str:
        return f"prefilter model gauge {model}{options}"

    ours = kept_or_made(root / name, file, cache_dir=cache_dir, again=again(name))
    theirs = None
    if before is not None:
        theirs = kept_or_made(root / before, file, cache_dir=cache_dir, again=again(before))
        if differ := other_basis(ours, theirs):
            older = before if theirs.measured_at <= ours.measured_at else name
            raise GaugeError(
                f"{name} and {before} were measured on different {', '.join(differ)}; "
                f"measure the older one again: {again(older)}"
            )
    findings = compare(file.gates, ours.metrics, None if theirs is None else theirs.metrics)
    promotion = Promotion(before, findings)
    if not promotion.fell and before != name:
        earlier = [*_earlier(root), *([before] if before else [])][-KEPT:]
        _write(root, {"live": name, "before": earlier})
    return promotion


def go_back(*, store: Path | None = None) -> tuple[str, str | None]:
    """Make the model before the live one live again; returns it and the one it replaces."""
    root = store or store_dir()
    earlier = _earlier(root)
    if not earlier:
        raise RegistryError(f"{root / LIVE} names no model before the live one")
    verify_model(earlier[-1], store=root)
    replaced = live_name(root)
    _write(root, {"live": earlier[-1], "before": earlier[:-1]})
    return earlier[-1], replaced


def _earlier(root: Path) -> list[str]:
    try:
        names = json.loads((root / LIVE).read_bytes()).get("before", [])
    except (OSError, ValueError, AttributeError):
        return []
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _write(root: Path, pointer: dict[str, object]) -> None:
    write_atomically(root / LIVE, f"{json.dumps(pointer)}\n".encode(), durable=True)
