"""All pages of the console under one router, and the files their pages load.

Only files named in `STATIC` are ever served, so no path of a request reaches the disk.
"""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse

from prefilter.serving.console import audit_page, case_page, key_page, policy_pages, queue_page, sign_in
from prefilter.serving.console.console_session import Anyone, home_of
from prefilter.serving.console.guard import ConsoleRoute
from prefilter.serving.console.rendering import STATIC_DIR
from prefilter.serving.errors import NotFound

STATIC: dict[str, str] = {
    "console.css": "text/css",
    "case.js": "text/javascript",
    "countdown.js": "text/javascript",
    "draft.js": "text/javascript",
    "forms.js": "text/javascript",
    "keys.js": "text/javascript",
    "lease.js": "text/javascript",
    "page.js": "text/javascript",
    "passage.js": "text/javascript",
    "policy.js": "text/javascript",
    "queues.js": "text/javascript",
    "reveal.js": "text/javascript",
    "review.js": "text/javascript",
    "submission.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)
for _pages in (sign_in, queue_page, case_page, policy_pages, audit_page, key_page):
    router.include_router(_pages.router)


@router.get("")
@router.get("/")
def home(request: Request, who: Anyone) -> RedirectResponse:
    """Send a person to the first page of their role."""
    return RedirectResponse(f"{request.scope.get('root_path', '')}{home_of(who)}", status_code=303)


@router.get("/static/{name}")
def static_file(name: str) -> FileResponse:
    """Serve one file of the console; raises NotFound for any other name."""
    if name not in STATIC:
        raise NotFound()
    return FileResponse(STATIC_DIR / name, media_type=STATIC[name], headers={"Cache-Control": "no-cache"})
