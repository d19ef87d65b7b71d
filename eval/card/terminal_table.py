"""The results for a terminal: a line per suite and head."""

from __future__ import annotations

from prefilter.eval.card.table import number
from prefilter.eval.document import ResultsDocument


def terminal_table(document: ResultsDocument) -> str:
    """Return a plain table: a line per suite and category, the verdict of harm first."""
    lines = [f"model {document.model_version}"]
    head = f"{'suite':34} {'category':11} {'n':>7} {'pos':>6}  AUROC  AUPRC  R@1%  ECE   unscored"
    lines.append(head)
    for name, suite in document.suites.items():
        for category, row in suite.heads():
            values = map(number, (row.auroc, row.auprc, row.recall_at_1pct_fpr, row.ece))
            cells = "  ".join(f"{value:>5}" for value in values)
            counts = f"{row.n:>7} {row.positives:>6}"
            lines.append(f"{name[:34]:34} {category:11} {counts}  {cells}  {row.n_unscored}")
    return "\n".join(lines) + "\n"
