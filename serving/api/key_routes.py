"""Routes of the admin: keys made, revoked and rotated. A key is shown once, in the answer that makes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from prefilter.serving.api.bodies.key_bodies import (
    NEW_KEY,
    ROTATION,
    KeyFields,
    KeysAnswer,
    NewKeyAnswer,
    NewKeyBody,
    RotatedKeyAnswer,
    RotationBody,
)
from prefilter.serving.errors import NotFound
from prefilter.serving.http.answers import answer
from prefilter.serving.http.callers import Admin
from prefilter.serving.http.descriptions import described
from prefilter.serving.http.request_bodies import read_body
from prefilter.serving.state import parts_of

if TYPE_CHECKING:
    from prefilter.serving.store.key_rows import KeyRow

router = APIRouter(prefix="/v1/keys", tags=["keys"])


@router.get("", summary="Every key, without its secret.", openapi_extra=described(answers={200: KeysAnswer}))
async def every(request: Request, who: Admin) -> Response:
    """Answer the keys, revoked ones too."""
    keys = await run_in_threadpool(parts_of(request).auth.list_keys)
    return answer(KeysAnswer(keys=[_body(row) for row in keys]))


@router.post(
    "",
    summary="Make a key.",
    status_code=201,
    openapi_extra=described(asks=NewKeyBody, answers={201: NewKeyAnswer}, refuses=(409,)),
)
async def create(request: Request, who: Admin) -> Response:
    """Make a key and answer it, the only time it can be seen."""
    body = await read_body(request, NEW_KEY)
    auth = parts_of(request).auth
    plain = await run_in_threadpool(auth.create_key, body["role"], body["name"], who)
    made = next(row for row in await run_in_threadpool(auth.list_keys) if row.name == body["name"])
    shown: NewKeyAnswer = {**_body(made), "key": plain}
    return answer(shown, status=201)


@router.post(
    "/{key_id}/revoke",
    summary="Make a key invalid at once.",
    openapi_extra=described(answers={200: KeyFields}, refuses=(404, 409)),
)
async def revoke(request: Request, key_id: str, who: Admin) -> Response:
    """Revoke a key and end its sessions."""
    name = await _name(request, key_id)
    return answer(_body(await run_in_threadpool(parts_of(request).auth.revoke, name, who)))


@router.post(
    "/{key_id}/rotate",
    summary="Give a key a new secret.",
    openapi_extra=described(
        asks=RotationBody, answers={200: RotatedKeyAnswer}, refuses=(404, 409, 422), optional=True
    ),
)
async def rotate(request: Request, key_id: str, who: Admin) -> Response:
    """Answer the new key; the old one stays valid for `grace_seconds` (default 0, at most a week)."""
    grace_seconds = 0
    if await request.body():
        body = await read_body(request, ROTATION)
        grace_seconds = body.get("grace_seconds") or 0
    name = await _name(request, key_id)
    plain = await run_in_threadpool(parts_of(request).auth.rotate, name, who, grace_seconds=grace_seconds)
    return answer(RotatedKeyAnswer(id=key_id, name=name, key=plain))


async def _name(request: Request, key_id: str) -> str:
    for row in await run_in_threadpool(parts_of(request).auth.list_keys):
        if row.id == key_id:
            return row.name
    raise NotFound("there is no such key", field="key_id")


def _body(row: KeyRow) -> KeyFields:
    return {
        "id": row.id,
        "name": row.name,
        "role": row.role,
        "prefix": row.prefix,
        "created_at": row.created_at.isoformat(),
        "created_by": row.created_by,
        "rotated_at": row.rotated_at.isoformat() if row.rotated_at else None,
        "revoked_at": row.revoked_at.isoformat() if row.revoked_at else None,
    }
