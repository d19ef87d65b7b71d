"""What the routes of those who run the service answer."""

from __future__ import annotations

from typing import Annotated

from typing_extensions import TypedDict

from prefilter.serving.http.body_reader import hint


class AliveAnswer(TypedDict):
    """The process answers."""

    status: Annotated[str, hint(const="alive")]


class ReadyAnswer(TypedDict):
    """The model and the database answer."""

    status: Annotated[str, hint(const="ready")]
    model_version: str


class LiveModel(TypedDict):
    """The model that answers."""

    version: str
    categories: list[str]
    uncalibrated: list[str]


class InstalledModel(TypedDict):
    """A model in the store."""

    name: str
    version: str
    stage: str


class ModelsAnswer(TypedDict):
    """The model that answers, and all that are installed."""

    live: LiveModel
    models: list[InstalledModel]
