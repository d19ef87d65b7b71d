"""The application: how the rooms are put together, started and stopped.

Building it opens nothing; starting it loads the model (its hashes verified, its self-test answered),
migrates the database, installs the presets and starts the engine. It knows every room of serving and
decides nothing itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import logging
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from prefilter.serving.admission.permits import Permits
from prefilter.serving.admission.request_gate import RequestGate
from prefilter.serving.api import router as api
from prefilter.serving.auth import Auth
from prefilter.serving.compat import refuse_for
from prefilter.serving.compat import router as compat
from prefilter.serving.console import router as console
from prefilter.serving.engine.engine import Engine
from prefilter.serving.errors import (
    BadRequest,
    InternalFault,
    MethodNotAllowed,
    NotFound,
    NotReady,
    PrefilterError,
    TooLarge,
)
from prefilter.serving.http.openapi_document import openapi_document
from prefilter.serving.policy.policy_book import PolicyBook
from prefilter.serving.screening.screening import Screening
from prefilter.serving.settings import Settings, SettingsError
from prefilter.serving.state import Parts, Running, state_of
from prefilter.serving.store import Store
from prefilter.serving.telemetry import Telemetry, where
from prefilter.serving.triage import Triage

if TYPE_CHECKING:  # it loads elsewhere while this is imported
    from prefilter.models.repeats.repeats import Repeats
    from prefilter.models.scorer import Scorer
    from prefilter.serving.model_loading import Loaded

logger = logging.getLogger("prefilter.app")

HOUSEKEEPING_S = 3_600
_BY_STATUS: dict[int, type[PrefilterError]] = {
    404: NotFound,
    405: MethodNotAllowed,
    413: TooLarge,
    500: InternalFault,
    503: NotReady,
}


def create_app(
    settings: Settings, *, scorer: Scorer | None = None, loading: Future[Loaded] | None = None
) -> FastAPI:
    """Build the application; `scorer` stands in for the model that `settings` names, `loading` is it on its way.

    Its state holds its `parts` and, once it has started, what is `running` (see `state`).
    """
    parts = _parts(settings)
    app = FastAPI(
        title="Harm pre-filter",
        version=importlib.metadata.version("harm-prefilter"),
        description="Scores text for harm, decides by policy, and sends only borderline items to a person.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=partial(_lifespan, scorer=scorer, loading=loading),
        telemetry={"tracing": False},
    )
    state = state_of(app)
    state.parts, state.running, state.admin_key = parts, None, None
    app.include_router(api)
    app.include_router(compat)
    app.include_router(console, prefix="/console")
    app.add_middleware(
        RequestGate,
        telemetry=parts.telemetry,
        admission=parts.admission,
        streams=parts.streams,
        max_body_bytes=settings.max_body_bytes,
        started=lambda: state.running is not None,
        refuse_for=refuse_for,
    )
    app.add_exception_handler(PrefilterError, _plain_error)
    app.add_exception_handler(HTTPException, _framework_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.openapi = lambda: openapi_document(app)  # type: ignore[method-assign]
    return app


def _parts(settings: Settings) -> Parts:
    store = _open(settings)
    return Parts(
        settings=settings,
        telemetry=Telemetry(),
        store=store,
        auth=Auth(store, settings),
        triage=Triage(store, settings),
        policy_book=PolicyBook(store, settings),
        admission=Permits(permits=settings.max_waiting, max_bytes=settings.max_waiting_bytes),
        streams=Permits(permits=settings.max_streams, max_bytes=1),
    )


def _open(settings: Settings) -> Store:
    try:
        return Store.open(settings.database_url)
    except ValueError as fault:
        raise SettingsError(f"PREFILTER_DATABASE_URL: {fault}", field="PREFILTER_DATABASE_URL") from None


@asynccontextmanager
async def _lifespan(
    app: FastAPI, *, scorer: Scorer | None, loading: Future[Loaded] | None
) -> AsyncIterator[None]:
    state = state_of(app)
    parts = state.parts
    loaded = asyncio.create_task(_loaded(parts.settings, scorer, loading))
    try:
        await run_in_threadpool(parts.store.migrate)
        await run_in_threadpool(parts.policy_book.install_presets)
    except BaseException:
        loaded.cancel()
        await asyncio.wait([loaded])
        raise
    tested, repeats = await loaded
    # Last, since the key is shown only once, by a server that has started.
    state.admin_key = await run_in_threadpool(parts.auth.ensure_admin)
    state.running = running = await _started(parts, tested)
    engine = running.engine
    parts.telemetry.watch(queued_tokens=lambda: engine.queued_tokens, ready=lambda: engine.ready, repeats=repeats)
    housekeeping = asyncio.create_task(_housekeeping(parts))
    try:
        yield
    finally:
        housekeeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await housekeeping
        await engine.stop()
        state.running = None
        await run_in_threadpool(parts.store.dispose)


async def _loaded(
    settings: Settings, given: Scorer | None, loading: Future[Loaded] | None
) -> tuple[Scorer, Repeats | None]:
    """The scorer, tested, and its repeats: the one that was given, else that which loads, else loaded now."""
    if given is not None:
        await run_in_threadpool(given.self_test)
        return given, None
    if loading is not None:
        return await asyncio.wrap_future(loading)
    from prefilter.serving.model_loading import load

    return await run_in_threadpool(load, settings)


async def _started(parts: Parts, scorer: Scorer) -> Running:
    """Start the engine, and put together what runs on it."""
    settings = parts.settings
    engine = Engine(scorer, threads=settings.engine_threads, max_queued_tokens=settings.max_queued_tokens)
    await engine.start()
    parts.admission.watch(check_room=engine.check_room, retry_after_s=engine.retry_after_s)
    screening = Screening(
        engine,
        parts.store,
        settings,
        policy_book=parts.policy_book,
        triage=parts.triage,
        model_version=scorer.model_version,
        uncalibrated=scorer.uncalibrated,
        certificate_for=scorer.certificate_for,
    )
    return Running(scorer, engine, screening)


async def _housekeeping(parts: Parts) -> None:
    """Erase what retention ends, now and every hour; a failure waits for the next hour."""
    while True:
        for purge in (parts.triage.retention.purge, parts.auth.purge):
            try:
                await run_in_threadpool(purge)
            except Exception as fault:
                logger.error("housekeeping failed: %s", where(fault))
        await asyncio.sleep(HOUSEKEEPING_S)


async def _plain_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, PrefilterError)
    refuse = refuse_for(request.url.path)
    refusal = refuse(error, getattr(request.state, "request_id", None))
    return Response(
        refusal.body, status_code=refusal.status, headers=refusal.headers, media_type="application/json"
    )


async def _framework_error(request: Request, error: Exception) -> Response:
    # The framework's own detail may quote the path or a parser's message.
    assert isinstance(error, HTTPException)
    kind = _BY_STATUS.get(error.status_code, BadRequest if error.status_code < 500 else InternalFault)
    response = await _plain_error(request, kind())
    allowed = (error.headers or {}).get("Allow")
    if allowed:
        response.headers["Allow"] = allowed
    return response


async def _validation_error(request: Request, _error: Exception) -> Response:
    # The framework's 422 repeats the input.
    return await _plain_error(request, BadRequest())

