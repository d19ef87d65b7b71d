"""What the routes on keys read and answer."""

from __future__ import annotations

from typing import Annotated, NotRequired

from pydantic import with_config
from typing_extensions import TypedDict

from prefilter.serving.auth import ROLES
from prefilter.serving.http.body_reader import CLOSED, BodyReader, Storable, hint

Role = Annotated[str, hint(enum=list(ROLES))]


@with_config(CLOSED)
class NewKeyBody(TypedDict):
    """Whose key is made, and for what."""

    role: Annotated[Storable, hint(enum=list(ROLES))]
    name: Storable


@with_config(CLOSED)
class RotationBody(TypedDict):
    """How long the old key stays valid."""

    grace_seconds: NotRequired[Annotated[int, hint(minimum=0)] | None]


NEW_KEY, ROTATION = BodyReader(NewKeyBody), BodyReader(RotationBody)


class KeyFields(TypedDict):
    """A key without its secret."""

    id: str
    name: str
    role: Role
    prefix: str
    created_at: str
    created_by: str
    rotated_at: str | None
    revoked_at: str | None


class KeysAnswer(TypedDict):
    """Every key, revoked ones too."""

    keys: list[KeyFields]


class NewKeyAnswer(KeyFields):
    """A key with its secret, the only time it can be seen."""

    key: str


class RotatedKeyAnswer(TypedDict):
    """A key with its new secret, the only time it can be seen."""

    id: str
    name: str
    key: str
