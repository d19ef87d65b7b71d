"""Routes for those who run the service: alive, ready, metrics, and which model answers."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from prefilter.serving.api.bodies.operation_bodies import AliveAnswer, InstalledModel, ModelsAnswer, ReadyAnswer
from prefilter.serving.errors import NotReady
from prefilter.serving.http.answers import answer
from prefilter.serving.http.callers import Safety
from prefilter.serving.http.descriptions import described
from prefilter.serving.state import parts_of, running_of

router = APIRouter(tags=["operations"])


@router.get(
    "/healthz",
    summary="Whether the process is alive.",
    openapi_extra=described(answers={200: AliveAnswer}, keyless=True),
)
async def healthz() -> Response:
    """Answer 200 as long as the process answers at all."""
    return answer(AliveAnswer(status="alive"))


@router.get(
    "/readyz",
    summary="Whether the model and the database answer.",
    openapi_extra=described(answers={200: ReadyAnswer}, keyless=True),
)
async def readyz(request: Request) -> Response:
    """Answer 200 when scoring works now, 503 otherwise."""
    running = running_of(request)
    if not running.engine.ready:
        raise NotReady("the model does not answer", code="model_not_ready", retry_after_s=1)
    await run_in_threadpool(parts_of(request).store.ping)
    return answer(ReadyAnswer(status="ready", model_version=running.scorer.model_version))


@router.get(
    "/metrics",
    summary="Metrics in Prometheus' text format.",
    response_class=PlainTextResponse,
    openapi_extra=described(answers={}, keyless=True),
)
async def metrics(request: Request) -> Response:
    """Answer every metric; no label holds anything a caller sent."""
    rendered = await run_in_threadpool(parts_of(request).telemetry.render)
    return Response(rendered, media_type="text/plain; version=0.0.4; charset=utf-8")


@router.get(
    "/v1/models",
    tags=["models"],
    summary="The installed models and the one that answers.",
    openapi_extra=described(answers={200: ModelsAnswer}),
)
async def models(request: Request, who: Safety) -> Response:
    """Answer the models in the store, their stage, and the live one's manifest."""
    scorer = running_of(request).scorer
    body: ModelsAnswer = {
        "live": {
            "version": scorer.model_version,
            "categories": list(scorer.categories),
            "uncalibrated": list(scorer.uncalibrated),
        },
        "models": await run_in_threadpool(_installed),
    }
    return answer(body)


def _installed() -> list[InstalledModel]:
    from prefilter.models.registry import list_models

    return [
        {"name": entry.name, "version": entry.version, "stage": str(entry.stage)} for entry in list_models()
    ]
