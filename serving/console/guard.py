"""What every console request passes: the cross-site check before, the security headers and error page
after.

Cross-site requests are refused by header, as Go's standard library does it, so no page carries a token that
could leak or expire under a reviewer's hands: an unsafe request must say `Sec-Fetch-Site: same-origin`, or,
where a browser sends no such header (plain http), an `Origin` whose host is ours. A client that sends
neither is not a browser and holds no one else's cookie. The session cookie is `SameSite=Strict` besides.

It knows nothing of what the pages do. An error becomes a page for a person and a JSON body for a module.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urlsplit

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from prefilter.serving.admission.refusal import native_body
from prefilter.serving.console.console_session import COOKIE, forget
from prefilter.serving.console.rendering import render
from prefilter.serving.errors import BadRequest, Forbidden, PrefilterError, Unauthorised

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS: dict[str, str] = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # `no-referrer` would make browsers send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class ConsoleRoute(APIRoute):
    """A route whose handler runs inside the guard."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the framework's handler: check, answer, turn errors into pages, add the headers."""
        inner = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            try:
                refuse_cross_site(request)
                response = await inner(request)
            except RequestValidationError:
                # The framework's own error repeats the input; ours names nothing.
                response = explain(request, BadRequest("A field is missing or of the wrong kind."))
            except PrefilterError as error:
                response = explain(request, error)
            response.headers.setdefault("Cache-Control", "no-store")
            response.headers.update(HEADERS)
            return response

        return guarded


def refuse_cross_site(request: Request) -> None:
    """Raise Forbidden for an unsafe request that another site's page caused."""
    if request.method in SAFE_METHODS:
        return
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        allowed = site == "same-origin"
    else:
        allowed = origin is None or urlsplit(origin).netloc == request.headers.get("host")
    if not allowed:
        raise Forbidden("This request came from another site.", code="cross_site")


def wants_json(request: Request) -> bool:
    """Say whether a module of ours asked, not a person's navigation."""
    return "application/json" in request.headers.get("accept", "")


def explain(request: Request, error: PrefilterError) -> Response:
    """Return the error as JSON, as a page, or, where only a log-in helps, as the way there."""
    retry = {} if error.retry_after_s is None else {"Retry-After": str(error.retry_after_s)}
    if wants_json(request):
        body = native_body(error, getattr(request.state, "request_id", None))
        return JSONResponse(body, status_code=error.status, headers=retry)
    if isinstance(error, Unauthorised):
        return _back_to_log_in(request)
    context = {"error": error, "principal": getattr(request.state, "principal", None)}
    return render(request, "error.html", context, status_code=error.status, headers=retry)


def _back_to_log_in(request: Request) -> Response:
    ended = "?ended=1" if COOKIE in request.cookies else ""
    response = RedirectResponse(f"{request.scope.get('root_path', '')}/console/login{ended}", status_code=303)
    forget(response)
    return response
