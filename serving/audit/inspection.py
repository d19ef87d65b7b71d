"""An inspection of what is kept: the audit chain walked, then decisions, policies and keys compared with it.

A chain that is broken vouches for nothing, so nothing is compared with it.
"""

from __future__ import annotations

from dataclasses import dataclass

from prefilter.serving.audit import chain
from prefilter.serving.audit.attestation import mismatches
from prefilter.serving.store import Store

CUT = "the head written down earlier is not in the chain: its end was cut or rewritten"


@dataclass(frozen=True, slots=True)
class Inspection:
    """`broken_at`: the first entry that does not fit; `faults`: sentences on what does not agree with the chain."""

    entries: int
    head: str
    broken_at: int | None
    faults: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing was changed."""
        return self.broken_at is None and not self.faults


def inspect(store: Store, *, head: str | None = None) -> Inspection:
    """Inspect a database; `head` is one written down earlier, which must still be in the chain."""
    found = chain.verify(store)
    if not found.ok:
        return Inspection(found.entries, found.head, found.broken_at, ())
    cut = [] if head is None or chain.holds(store, head) else [CUT]
    return Inspection(found.entries, found.head, None, (*cut, *mismatches(store)))
