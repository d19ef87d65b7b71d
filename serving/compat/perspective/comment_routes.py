"""The routes of the Perspective API: `comments:analyze`, `comments:suggestscore` and the discovery document.

A client of Perspective changes its host and nothing else. Its keys come in the query, where they stay: the log, the
metrics and every error know only the route. A comment is screened like any item, by the transformer always, since the
client's own thresholds decide and the fast stage's estimates are made for a policy's. What could not be scored is
recorded for a person and answered with an error; it never gets a low score.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from fastapi import APIRouter, Security
from fastapi.security import APIKeyQuery
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from prefilter.models.scored import Scored
from prefilter.models.text.language import READABLE, identify
from prefilter.models.text.normalisation import normalise
from prefilter.serving.admission.request_gate import CLIENT_GONE
from prefilter.serving.auth import Principal
from prefilter.serving.compat.perspective import discovery
from prefilter.serving.compat.perspective.attributes import ATTRIBUTES, offered
from prefilter.serving.compat.perspective.comment_answers import (
    PROBABILITY,
    AnalyzeAnswer,
    AttributeAnswer,
    CommentScore,
    SuggestAnswer,
)
from prefilter.serving.compat.perspective.comment_bodies import (
    Analysis,
    Comment,
    read_analysis,
    read_suggestion,
)
from prefilter.serving.compat.perspective.comment_messages import openapi
from prefilter.serving.compat.perspective.google_errors import (
    ApiKeyInvalid,
    DeadlineExceeded,
    GoogleError,
    language_unsupported,
)
from prefilter.serving.compat.perspective.sentences import sentences
from prefilter.serving.engine.row import Row
from prefilter.serving.errors import BadRequest, InternalFault, NotFound, Overloaded, Unauthorised
from prefilter.serving.http.answers import answer
from prefilter.serving.http.callers import caller, holder
from prefilter.serving.http.descriptions import described
from prefilter.serving.http.interruptible_screening import screened
from prefilter.serving.http.request_bodies import raw_body
from prefilter.serving.screening import suggested_scores
from prefilter.serving.screening.item import Item
from prefilter.serving.state import parts_of, running_of

_key = APIKeyQuery(name="key", scheme_name="PerspectiveKey", auto_error=False, description="A pipeline's key.")
router = APIRouter(tags=["perspective"])

_HOST = re.compile(r"https?://[A-Za-z0-9.\-_]{1,255}(?::\d{1,5})?/|https?://\[[0-9A-Fa-f:.]{2,45}\](?::\d{1,5})?/")
Body = TypeVar("Body")
Body_co = TypeVar("Body_co", covariant=True)


class ReadsComment(Protocol[Body_co]):
    """Reads a body about a comment: `names` are the attributes that can be asked for."""

    def __call__(self, raw: bytes, /, *, names: Collection[str], max_text_chars: int) -> Body_co:
        """Return what the body says; raises BadRequest."""
        ...


def _described(request: str, answered: type) -> dict[str, Any]:
    """Return the `openapi_extra` of a route that reads this message of the discovery document."""
    content = {"application/json": {"schema": openapi(request)}}
    return {
        **described(answers={200: answered}, refuses=(400, 413, 429, 504), errors=GoogleError),
        "requestBody": {"required": True, "content": content},
        "security": [{"HTTPBearer": []}],  # beside that of the dependency
    }


@router.post(
    discovery.ANALYZE,
    summary="Score a comment, as Perspective does.",
    dependencies=[Security(_key)],
    openapi_extra=_described("AnalyzeCommentRequest", AnalyzeAnswer),
)
async def analyze(request: Request) -> Response:
    """Screen the comment and answer the requested attributes."""
    who, asked = await _taken(request, read_analysis)
    comment = asked.comment
    context = comment.context if running_of(request).scorer.reads_context else None
    item = Item(None, comment.plain.text, comment.language, context=context)
    result = await screened(request, [item], principal=who, exact=True, keep=asked.keep)
    if result is None:
        return Response(status_code=CLIENT_GONE)
    (row,) = result.rows
    if row.error is not None:
        raise BadRequest(row.error.message, code=row.error.code, field="comment")
    assert row.scored is not None
    _check_scored(row.scored, asked)
    spans = await _spans(request, comment, row.scored) if asked.spans else [(comment.whole, row.scored)]
    detected = [row.scored.language or READABLE]
    body: AnalyzeAnswer = {
        "attributeScores": _scores(asked, row.scored, spans),
        "languages": list(comment.languages) or detected,
        "detectedLanguages": detected,
    }
    return _answered(body, comment)


@router.post(
    discovery.SUGGEST,
    summary="Say what a comment should have scored, as for Perspective.",
    dependencies=[Security(_key)],
    openapi_extra=_described("SuggestCommentScoreRequest", SuggestAnswer),
)
async def suggest(request: Request) -> Response:
    """Keep the scores as outside labels, which nothing of ours trusts."""
    who, said = await _taken(request, read_suggestion)
    comment = said.comment
    await run_in_threadpool(
        suggested_scores.suggest,
        parts_of(request).store,
        comment.plain.text,
        said.scores,
        principal=who,
        languages=comment.languages,
        community_id=comment.community_id,
    )
    detected = await run_in_threadpool(_identified, comment.plain.text)
    return _answered({"requestedLanguages": list(comment.languages), "detectedLanguages": detected}, comment)


@router.get("/$discovery/rest", include_in_schema=False)
@router.get("/discovery/v1/apis/commentanalyzer/v1alpha1/rest", include_in_schema=False)
async def describe(request: Request) -> Response:
    """Answer the discovery document, with the addresses the client used; it needs no key."""
    if request.query_params.get("version", discovery.VERSION) != discovery.VERSION:
        raise NotFound(f"there is only version {discovery.VERSION}")
    base_url = str(request.base_url)
    if not _HOST.fullmatch(base_url):
        raise BadRequest("the Host header names no host", code="bad_host", field="Host")
    return answer(discovery.document(base_url))


def _caller(request: Request) -> Principal:
    """Return who calls: by `?key=`, as Perspective's clients, by `X-Goog-Api-Key`, or as everywhere else."""
    key = request.query_params.get("key") or request.headers.get("x-goog-api-key")
    if key is None or key == "":
        return caller(request, "pipeline")
    running_of(request)
    try:
        return holder(request, key, "pipeline")
    except Unauthorised:
        raise ApiKeyInvalid from None


async def _taken(request: Request, read: ReadsComment[Body]) -> tuple[Principal, Body]:
    """Return who calls and what their body says."""
    who = await asyncio.to_thread(_caller, request)
    raw = await raw_body(request)
    names, max_text_chars = offered(running_of(request).scorer.categories), parts_of(request).settings.max_text_chars
    return who, await run_in_threadpool(read, raw, names=names, max_text_chars=max_text_chars)


def _answered(body: AnalyzeAnswer | SuggestAnswer, comment: Comment) -> Response:
    """Answer with the token by which the client knows its comment again, where it sent one."""
    if comment.client_token is not None:
        body["clientToken"] = comment.client_token
    return answer(body)


def _check_scored(scored: Scored, asked: Analysis) -> None:
    """Raise what is answered for a comment that got no scores."""
    if scored.unscored is None:
        return
    if scored.unscored == "deadline":
        raise DeadlineExceeded
    if scored.unscored == "internal_fault":
        raise InternalFault
    attribute, comment = next(iter(asked.thresholds)), asked.comment
    if comment.language == READABLE:  # declared, and not what is wrong with a comment of signs alone
        raise language_unsupported(attribute, ["und"], requested=False)
    languages = comment.languages
    raise language_unsupported(attribute, languages or [scored.language or "und"], requested=bool(languages))


async def _spans(request: Request, comment: Comment, whole: Scored) -> list[tuple[tuple[int, int], Scored]]:
    """Return the sentences and their scores; one that cannot be scored by itself has none and is left out.

    Spans are advice: where there is no room for the sentences now, the answer is the comment as one.
    """
    text = comment.plain.text
    places = sentences(text)
    places_sent = [comment.span(start, end) for start, end in places]
    if len(places) == 1:
        return [(places_sent[0], whole)]
    # Nothing of the parts of a text that is screened as a whole is decided, recorded or kept.
    rows = [Row(text[start:end], comment.language, keep=False) for start, end in places]
    engine, deadline_ms = running_of(request).engine, parts_of(request).settings.deadline_ms
    try:
        parts = await engine.score(rows, deadline_ms=deadline_ms)
    except Overloaded:
        return [(comment.whole, whole)]
    return [(place, scored) for place, scored in zip(places_sent, parts, strict=True) if scored.scores]


def _scores(
    asked: Analysis, whole: Scored, spans: Sequence[tuple[tuple[int, int], Scored]]
) -> dict[str, AttributeAnswer]:
    """Return the scores of every attribute that is not below its threshold."""
    found: dict[str, AttributeAnswer] = {}
    for name, threshold in asked.thresholds.items():
        score = ATTRIBUTES[name].score(whole.scores)
        if threshold is None or float(score) >= threshold:
            found[name] = {
                "spanScores": [
                    {"begin": begin, "end": end, "score": _value(ATTRIBUTES[name].score(part.scores))}
                    for (begin, end), part in spans
                ],
                "summaryScore": _value(score),
            }
    return found


def _value(score: np.float32) -> CommentScore:
    return {"value": float(score), "type": PROBABILITY}


def _identified(text: str) -> list[str]:
    language = identify(normalise(text).text)
    return [] if language is None else [language]
