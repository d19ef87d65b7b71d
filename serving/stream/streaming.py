"""Streaming: screens a text while it is being written, and lets out what is known to be safe enough.

Whenever enough is new, the text so far is scored as `/v1/score` would score it (only windows that changed are run, see
`models.recall`), and the policy decides. `holdback` says what may go out, and when a refusal is final. One stream is
one screening: the decision of the text up to where it ended or was cut is recorded once, with the case it may open; of
a client that went away, what had gone out is recorded. A policy that is not enforced lets everything out at once. A
text that cannot be scored is refused. Knows no transport: parts come in by `add` and `end`, events go out.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field

from prefilter.models.recall import of_text
from prefilter.models.scored import Scored
from prefilter.models.text.normalisation import RowError, settled
from prefilter.serving.auth import Principal
from prefilter.serving.engine.engine import Engine
from prefilter.serving.engine.row import Row
from prefilter.serving.policy.decide import Decision
from prefilter.serving.policy.policy import Outcome, Policy
from prefilter.serving.screening.item import Item
from prefilter.serving.screening.screening import ScreenedItem, Screening
from prefilter.serving.stream.growing_text import GrowingText
from prefilter.serving.stream.holdback import Holdback, boundary

logger = logging.getLogger("prefilter.stream")

LOOK_CHARS = 32
"""So many new characters are looked at together: some eight word pieces, a sixth of a second of a fast model."""
LOOKS = 128
"""A long text is looked at anew at most about so often for each time it doubles: each look reads it from the start."""
UNREAD_CHARS = 512
"""A text that cannot be read or scored is waited for as long as for a window."""


@dataclass(frozen=True, slots=True)
class Released:
    """Text that goes out."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a stream ended: whole, or cut; and its decision, where one was made."""

    cut: bool
    decision: Decision | None
    screened: ScreenedItem | None
    released_chars: int
    total_chars: int
    unsafe_chars: int
    windows_run: int


@dataclass(frozen=True, slots=True)
class Broken:
    """The stream broke the contract: nothing more goes out, and there is no outcome."""

    error: RowError
    released_chars: int


class Streaming:
    """One stream of one caller."""

    def __init__(
        self,
        item: Item,
        policy: Policy,
        *,
        screening: Screening,
        engine: Engine,
        principal: Principal,
        deadline_ms: int,
        max_chars: int,
    ) -> None:
        """`item`: everything but its text, which comes later. `policy` decides, the same version to the end."""
        self._item = item
        self.policy = policy
        self._screening = screening
        self._engine = engine
        self._principal = principal
        self._deadline_ms = deadline_ms
        self._growing = GrowingText(max_chars=max_chars)
        self._holdback = Holdback(policy.max_unsafe_chars)
        self._recall = of_text()
        self._changed = asyncio.Event()
        self._error: RowError | None = None
        self._allowed: tuple[int, Scored] | None = None
        self._recorded = False
        self._looked = 0

    @property
    def model_version(self) -> str:
        """The model that scores."""
        return self._screening.model_version

    @property
    def ended(self) -> bool:
        """Whether all of its text has come."""
        return self._growing.ended

    def add(self, part: str) -> None:
        """Take the next part of the text."""
        if self._error is None and not self._growing.ended:
            self._error = self._growing.add(part)
            self._changed.set()

    def end(self) -> None:
        """Nothing follows."""
        if not self._growing.ended:
            self._error = self._error or self._growing.end()
            self._changed.set()

    async def events(self) -> AsyncGenerator[Released | Ended | Broken]:
        """Yield what goes out, and last how it ended. Raises NotReady where that could not be recorded."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            if self._error is not None:
                yield Broken(self._error, self._holdback.released)
                return
            whole, text = self._growing.ended, self._growing.text
            if not self.policy.enforced and (out := self._holdback.everything(text)):
                yield Released(out)
            upto = len(text) if whole else boundary(text, len(text), after=self._looked)
            if not whole and upto - self._looked < max(LOOK_CHARS, len(text) // LOOKS):
                continue
            ended = None
            async for event in self._look(text, upto, whole=whole):
                yield event
                ended = event if isinstance(event, Ended) else ended
            if ended is not None:
                return

    async def abandon(self) -> None:
        """Record what had gone out of a stream that never came to its end: the text that was last allowed.

        A refusal that was not final is nobody's to see. Raises NotReady as `events` does.
        """
        if self._allowed is not None and self._holdback.released and not self._recorded:
            await self._record(*self._allowed)

    # --- inside -----------------------------------------------------------------------------------

    async def _look(self, text: str, upto: int, *, whole: bool) -> AsyncIterator[Released | Ended]:
        prefix = text[:upto]
        if not prefix.strip():  # nothing to judge yet
            if whole:
                if out := self._holdback.everything(text):
                    yield Released(out)
                yield self._ended(None, None)
            return
        item, held = self._item, self._holdback
        row = Row(prefix, item.language, item.context, keep=False, known=self._recall)
        (scored,) = await self._engine.score([row], deadline_ms=self._deadline_ms, accepted=True)
        self._looked = upto
        if scored.error is not None:
            self._error = scored.error
            self._changed.set()
            return
        decision = self._screening.decide(scored, self.policy, source=item.source)
        window, start = self._recall.open_window(await asyncio.to_thread(settled, prefix))
        reopened = self._recall.reopened()
        if reopened is not None:
            logger.error("a window that was taken for closed is another one now")
        if decision.outcome is Outcome.ALLOW or not decision.enforced:
            self._allowed = upto, scored
            self._recall.close(window)
            out = held.allowed(text, upto, open_start=start, whole=whole) if decision.enforced else ""
            screened = await self._record(upto, scored) if whole else None
            if out:
                yield Released(out)
            if whole:
                yield self._ended(decision, screened)
            return
        # Where no window was read, so much text is as good as one.
        piece = ("window", window) if scored.unscored is None else ("unread", upto // UNREAD_CHARS)
        if held.refused(piece, whole=whole or reopened is not None):
            yield self._ended(decision, await self._record(upto, scored), unsafe_chars=held.unsafe_chars(reopened))

    async def _record(self, upto: int, scored: Scored) -> ScreenedItem:
        item = self._item._replace(text=self._growing.text[:upto])
        (row,) = await self._screening.record([item], [scored], self.policy, principal=self._principal)
        self._recorded = True
        return row

    def _ended(
        self, decision: Decision | None, screened: ScreenedItem | None, *, unsafe_chars: int | None = None
    ) -> Ended:
        """How it ended; `unsafe_chars` None where it was not cut."""
        return Ended(
            cut=unsafe_chars is not None,
            decision=decision,
            screened=screened,
            released_chars=self._holdback.released,
            total_chars=len(self._growing),
            unsafe_chars=unsafe_chars or 0,
            windows_run=self._recall.ran,
        )
