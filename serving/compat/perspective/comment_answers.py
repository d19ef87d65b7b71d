"""What the Perspective routes answer."""

from __future__ import annotations

from typing import Annotated, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from prefilter.serving.http.body_reader import hint

PROBABILITY = "PROBABILITY"


class CommentScore(TypedDict):
    """A score and its kind, of which there is one."""

    value: Annotated[float, Field(ge=0, le=1)]
    type: Annotated[str, hint(const=PROBABILITY)]


class CommentSpanScore(TypedDict):
    """The score of the UTF-16 code units [begin, end) of the comment as sent."""

    begin: int
    end: int
    score: CommentScore


class AttributeAnswer(TypedDict):
    """The scores of one attribute: of the comment, and of its parts."""

    spanScores: list[CommentSpanScore]
    summaryScore: CommentScore


class AnalyzeAnswer(TypedDict):
    """The scores of the attributes that were asked for and are not below their thresholds."""

    attributeScores: dict[str, AttributeAnswer]
    languages: list[str]
    detectedLanguages: list[str]
    clientToken: NotRequired[str]


class SuggestAnswer(TypedDict):
    """The suggestion is kept."""

    requestedLanguages: list[str]
    detectedLanguages: list[str]
    clientToken: NotRequired[str]
