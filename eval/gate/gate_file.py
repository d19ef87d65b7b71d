"""The gates file: which metrics a model must hold, and on which suites, read from TOML and checked.

`gates.toml` beside this file holds the released model's gates; a team's own file has the same form and may
add suites of its own (Parquet files, found from where the gates file lies). A key that nobody reads is a
gate that nobody keeps, so an unknown one is refused. Nothing is measured or compared here.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from prefilter.eval.document import ANY_KEY
from prefilter.eval.gate.metric_gate import Gate
from prefilter.eval.suites.suite_plan import Entry, Role, planned_suites
from prefilter.models.known_error import KnownError

GATES_FILE = Path(__file__).parent.parent / "gates.toml"
SUITES, MANIFEST = "suites", "manifest"

_FILE_KEYS = frozenset({"gate", "suite"})
_SUITE_KEYS = frozenset({"path", "split", "role", "max_rows"})
_GATE_KEYS = frozenset(
    {
        "name",
        "metrics",
        "better",
        "least",
        "most",
        "bounds",
        "regress",
        "enough",
        "margin",
        "mean",
        "optional",
    }
)


class GateError(KnownError, ValueError):
    """A gates file cannot be read or says something it must not; the message names the file and the gate."""


@dataclass(frozen=True, slots=True)
class GateFile:
    """The gates of one file, and the suites that measure them."""

    path: Path
    gates: tuple[Gate, ...]
    entries: tuple[Entry, ...]

    @classmethod
    def load(cls, path: Path | None = None) -> GateFile:
        """Read a gates file (default: the one that comes with the package); raises GateError."""
        path = path or GATES_FILE
        try:
            raw = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise GateError(f"{path}: {error.strerror or 'cannot be read'}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError):
            raise GateError(f"{path}: not TOML") from None
        _refuse_unknown(path, "the file", raw, _FILE_KEYS)
        gates = tuple(_gate(path, table) for table in _tables(path, raw, "gate"))
        if not gates:
            raise GateError(f"{path}: has no [[gate]]")
        names = [gate.name for gate in gates]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise GateError(f"{path}: gate {twice!r} is there twice")
        own = [_suite(path, table) for table in _tables(path, raw, "suite")]
        return cls(path, gates, _entries(path, gates, own))

    @property
    def patterns(self) -> tuple[str, ...]:
        """Every metric path that a gate asks for."""
        return tuple(sorted({pattern for gate in self.gates for pattern in gate.metrics}))


def _gate(path: Path, table: Mapping[str, object]) -> Gate:
    name = table.get("name")
    if not isinstance(name, str) or not name:
        raise GateError(f"{path}: a gate has no name")
    at = f"gate {name!r}"
    _refuse_unknown(path, at, table, _GATE_KEYS)
    metrics = table.get("metrics")
    if not isinstance(metrics, list) or not metrics or not all(_is_path(m) for m in metrics):
        raise GateError(f"{path}: {at}: metrics is a list of paths that begin with {SUITES} or {MANIFEST}")
    if "least" in table and "most" in table:
        raise GateError(f"{path}: {at}: least or most, not both")
    bounds = table.get("bounds", {})
    one_star = all(m.split(".").count(ANY_KEY) == 1 for m in metrics)
    if not isinstance(bounds, dict) or (bounds and (not one_star or table.get("mean", False))):
        raise GateError(f"{path}: {at}: bounds are a table of what stands for the one * of each metric")
    regress = _flag(path, at, table, "regress")
    if not (regress or bounds or "least" in table or "most" in table):
        raise GateError(f"{path}: {at}: bounds nothing: give least, most, bounds or regress")
    if not regress and ("enough" in table or "margin" in table):
        raise GateError(f"{path}: {at}: enough and margin go with regress")
    bound = "least" if "least" in table else "most"
    margin = _number(path, at, table, "margin") or 0.0
    if margin < 0:
        raise GateError(f"{path}: {at}: margin is not negative")
    return Gate(
        name=name,
        metrics=tuple(metrics),
        higher_is_better=_higher_is_better(path, at, table),
        bound=_number(path, at, table, bound),
        bounds={str(key): _number(path, at, bounds, key) or 0.0 for key in bounds},
        regress=regress,
        enough=_number(path, at, table, "enough"),
        margin=margin,
        mean=_flag(path, at, table, "mean"),
        optional=_flag(path, at, table, "optional"),
    )


def _higher_is_better(path: Path, at: str, table: Mapping[str, object]) -> bool:
    """Read the good direction: `better` says it, and a bound must agree with it."""
    better = table.get("better")
    if better not in ("higher", "lower"):
        raise GateError(f"{path}: {at}: better is higher or lower")
    if ("most" in table and better == "higher") or ("least" in table and better == "lower"):
        raise GateError(f"{path}: {at}: least goes with better = higher, most with better = lower")
    return bool(better == "higher")


def _suite(path: Path, table: Mapping[str, object]) -> Entry:
    target = table.get("path")
    if not isinstance(target, str) or not target.endswith(".parquet"):
        raise GateError(f"{path}: a suite has a path that ends in .parquet")
    at = f"suite {target!r}"
    _refuse_unknown(path, at, table, _SUITE_KEYS)
    split, most = table.get("split"), table.get("max_rows")
    if "." in Path(target).stem or not isinstance(split, str | None):
        raise GateError(f"{path}: {at}: its name has no dots, and split is a string")
    if most is not None and (not isinstance(most, int) or isinstance(most, bool) or most < 1):
        raise GateError(f"{path}: {at}: max_rows is a positive number")
    try:
        role = Role(str(table.get("role", Role.HARM.value)))
    except ValueError:
        raise GateError(f"{path}: {at}: role is one of {', '.join(r.value for r in Role)}") from None
    return Entry(str(path.parent / target), role, split, most)


def _entries(path: Path, gates: tuple[Gate, ...], own: list[Entry]) -> tuple[Entry, ...]:
    """Return each suite that a gate names, once: the file's own of that name, else the plan's."""
    known = {entry.target: entry for entry in planned_suites()} | {Path(e.target).stem: e for e in own}
    paths = (metric.split(".") for gate in gates for metric in gate.metrics)
    names = list(dict.fromkeys(parts[1] for parts in paths if parts[0] == SUITES))
    for name in names:
        if name not in known:
            raise GateError(f"{path}: suite {name!r} is neither in the plan nor a [[suite]] of this file")
    return tuple(known[name] for name in names)


def _is_path(metric: object) -> bool:
    if not isinstance(metric, str):
        return False
    root, *rest = metric.split(".")
    return root in (SUITES, MANIFEST) and len(rest) > (root == SUITES) and all(rest)


def _tables(path: Path, raw: Mapping[str, object], key: str) -> list[Mapping[str, object]]:
    tables = raw.get(key, [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise GateError(f"{path}: {key} is written [[{key}]]")
    return tables


def _number(path: Path, at: str, table: Mapping[str, object], key: str) -> float | None:
    value = table.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise GateError(f"{path}: {at}: {key} is a number")
    return float(value)


def _flag(path: Path, at: str, table: Mapping[str, object], key: str) -> bool:
    value = table.get(key, False)
    if not isinstance(value, bool):
        raise GateError(f"{path}: {at}: {key} is true or false")
    return value


def _refuse_unknown(path: Path, at: str, table: Mapping[str, object], known: frozenset[str]) -> None:
    if unknown := sorted(table.keys() - known):
        raise GateError(f"{path}: {at}: unknown key {unknown[0]!r}")
