"""Rendering: the templates, the words they use, and nothing about any one page.

Everything is escaped; no template marks text as safe. Times are shown in UTC, to the minute, with the exact
value in the element for machines.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import jinja2
from starlette.requests import Request
from starlette.responses import Response
from starlette.templating import Jinja2Templates

_ROOM = Path(__file__).parent.parent
TEMPLATES_DIR = _ROOM / "templates"
STATIC_DIR = _ROOM / "static"

NOTHING = "\N{EN DASH}"
_NAMES = {
    "any": "Any harm",
    "self_harm": "Self-harm",
    "unscored": "Could not be scored",
}


def words(name: object) -> str:
    """Return a category, queue or role as a person reads it: `self_harm` → `Self-harm`."""
    text = str(name)
    return _NAMES.get(text, text.replace("_", " ").capitalize())


def moment(at: datetime) -> str:
    """Return a time as `23 Nov 2026, 09:14 UTC`."""
    utc = at.astimezone(UTC)
    return f"{utc.day} {utc:%b %Y, %H:%M} UTC"


def since(at: datetime | None, now: datetime | None = None) -> str:
    """Return how long ago `at` was, in its largest unit: `3 h`."""
    if at is None:
        return NOTHING
    seconds = max(0, int(((now or datetime.now(UTC)) - at).total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def share(part: int, whole: int) -> str:
    """Return `part` of `whole` in per cent; small shares keep a decimal."""
    if not whole:
        return NOTHING
    value = 100 * part / whole
    return f"{value:.0f} %" if value == 0 or value >= 10 else f"{value:.1f} %"


def edge(value: float | None) -> str:
    """Return a band edge as typed, or nothing for a band that is not there."""
    return "" if value is None else f"{value:g}"


def count(number: int) -> str:
    """Return a count with its thousands apart: `100,000`."""
    return f"{number:,}"


@cache
def templates() -> Jinja2Templates:
    """Return the one template environment, made on first use."""
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES_DIR),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters.update(words=words, moment=moment, since=since, edge=edge, count=count)
    env.globals["share"] = share
    return Jinja2Templates(env=env)


def render(
    request: Request,
    name: str,
    context: Mapping[str, object],
    *,
    status_code: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Render a page; `base` is where the console lives and `principal` who looks (or None)."""
    full = {"base": f"{request.scope.get('root_path', '')}/console", "principal": None, **context}
    return templates().TemplateResponse(request, name, full, status_code=status_code, headers=headers)
