"""How long the texts of cases are kept: until erased by the id of their item, or until retention has passed.

That there was a case, and what became of it, is kept. Knows no SQL: what exactly is forgotten is `store.erasure`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from prefilter.serving.audit import chain
from prefilter.serving.auth import Principal, require
from prefilter.serving.store import Store, erasure


class Retention:
    """Erases the texts of one database; thread-safe."""

    def __init__(self, store: Store, *, days: int, clock: Callable[[], datetime]) -> None:
        """`days` a text is kept after its case was resolved; `clock` returns the present instant."""
        self._store = store
        self._retention = timedelta(days=days)
        self._clock = clock

    def erase(self, item_id: str, principal: Principal) -> int:
        """Erase the text and notes of every case of an item and close the unresolved ones; returns how many.

        A pipeline erases only texts that it sent under its own key.
        """
        require(principal, "pipeline", "safety", "lead", "admin")
        now = self._clock()
        own = principal.name if principal.role == "pipeline" else None
        with self._store.begin() as conn:
            ids = erasure.erase_item(conn, item_id, key_name=own, actor=principal.name, now=now)
            body = {"cases": ids}
            chain.append(conn, actor=principal.name, action="item.erased", subject=item_id, body=body, at=now)
        self._store.forget()
        return len(ids)

    def purge(self, now: datetime | None = None) -> int:
        """Erase the texts of cases whose retention after resolution has passed; returns how many."""
        now = now or self._clock()
        erased = 0
        while True:
            with self._store.begin() as conn:
                count = erasure.purge(conn, resolved_before=now - self._retention, now=now)
            erased += count
            if count == 0:
                break
        if erased:
            self._store.forget()
        return erased
