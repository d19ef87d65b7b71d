"""How a run ended: rows by outcome and by stage. Knows only tables of the scores schema."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prefilter.serving.bulk.cleared_rows import FAST_STAGE_ONLY
from prefilter.serving.bulk.write.compact_json import to_json
from prefilter.serving.policy.policy import OUTCOMES

if TYPE_CHECKING:
    import pyarrow as pa

_DEFERRED = to_json([{"reason": FAST_STAGE_ONLY}])
_NAMES = (*(outcome.value for outcome in OUTCOMES), "error")


@dataclass(slots=True)
class Summary:
    """Rows by outcome (`error` for broken ones) and by stage, and how many were finished before.

    `estimated`: rows that only the fast stage saw and that the policy could not decide by its estimates.
    """

    rows: int = 0
    resumed: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    stages: Counter[str] = field(default_factory=Counter)
    estimated: int = 0

    def count(self, table: pa.Table) -> None:
        """Add the rows of a table of the scores schema."""
        import pyarrow.compute as pc

        self.rows += table.num_rows
        for name, counter in (("outcome", self.outcomes), ("stage", self.stages)):
            for entry in pc.value_counts(table.column(name)).to_pylist():
                counter[entry["values"] or "error"] += entry["counts"]
        if table.num_rows:
            self.estimated += pc.sum(pc.equal(table.column("because"), _DEFERRED)).as_py() or 0

    def to_json(self) -> dict[str, object]:
        """Return rows by outcome and by stage."""
        return {
            "rows": self.rows,
            "outcomes": {name: self.outcomes[name] for name in _NAMES},
            "stages": {name: self.stages[name] for name in ("fast", "full")},
        }

    def to_line(self) -> str:
        """Return one line for people."""
        parts = [f"{self.outcomes[name]} {name}" for name in _NAMES]
        fast = f"; {self.stages['fast']} cleared by the fast stage" if self.stages["fast"] else ""
        tail = f" ({self.resumed} of them by an earlier run)" if self.resumed else ""
        return f"{self.rows} rows: {', '.join(parts)}{fast}{tail}"
