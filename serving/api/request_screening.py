"""One screening for one request, whichever door it came through: run, counted, and stopped when nobody waits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from starlette.requests import Request

from prefilter.models.scored import Scored
from prefilter.serving.api.wire import part
from prefilter.serving.auth import Principal
from prefilter.serving.engine.work import Row
from prefilter.serving.schemas import BadRow, Item
from prefilter.serving.screening import ScreenedItem, ScreeningResult
from prefilter.serving.telemetry import Telemetry


async def screened(
    request: Request,
    rows: Sequence[Item | BadRow],
    *,
    principal: Principal,
    policy: str | None = None,
    explain: bool = False,
    exact: bool = False,
    keep: bool = True,
) -> ScreeningResult | None:
    """Screen rows whose body has been read; None where the client hung up, and then nothing is recorded.

    Everything else is as `Screening.screen` says, what it raises too.
    """
    screening = part(request, "screening")
    screen = asyncio.create_task(
        screening.screen(
            rows, principal=principal, policy_name=policy, explain=explain, exact=exact, keep=keep
        )
    )
    gone = asyncio.create_task(_hang_up(request))
    try:
        await asyncio.wait({screen, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not screen.done():
            return None
        result: ScreeningResult = screen.result()
    finally:
        screen.cancel()
        gone.cancel()
    count(part(request, "telemetry"), result.rows)
    return result


async def parts_scored(request: Request, texts: Sequence[str], language: str | None) -> list[Scored]:
    """Score the parts of a text that is screened as a whole: nothing of them is decided, recorded or kept."""
    settings = part(request, "settings")
    rows = [Row(text, language, keep=False) for text in texts]
    scored: list[Scored] = await part(request, "engine").score(rows, deadline_ms=settings.deadline_ms)
    return scored


def count(telemetry: Telemetry, rows: Sequence[ScreenedItem]) -> None:
    """Count what was answered."""
    scored = [row.scored for row in rows if row.scored is not None]
    telemetry.screened(
        outcomes=["error" if row.decision is None else row.decision.outcome.value for row in rows],
        stages=[answer.stage for answer in scored if answer.scores],
        unscored=[answer.unscored for answer in scored if answer.unscored is not None],
    )
    telemetry.tokens.inc(sum(answer.tokens_seen for answer in scored))
    telemetry.cases.inc(sum(row.case_id is not None for row in rows))


async def _hang_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
