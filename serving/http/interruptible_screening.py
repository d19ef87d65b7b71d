"""One screening for one request, whichever API it came through: run, counted, and stopped when nobody waits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from starlette.requests import Request

from prefilter.serving.auth import Principal
from prefilter.serving.http.screening_metrics import count
from prefilter.serving.screening.item import BadRow, Item
from prefilter.serving.screening.screening import ScreeningResult
from prefilter.serving.state import parts_of, running_of


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
    screening = running_of(request).screening
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
        result = screen.result()
    finally:
        screen.cancel()
        gone.cancel()
    count(parts_of(request).telemetry, result.rows)
    return result


async def _hang_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
