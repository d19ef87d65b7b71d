"""The messages of the Perspective API, described once, in the words of Google's discovery documents.

From this table come the discovery document, the requests of our own OpenAPI document (closed, with what is required and
bounded) and what `comment_bodies` reads: which names a message has, and which values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prefilter.serving.compat.perspective.attributes import ATTRIBUTES
from prefilter.serving.compat.perspective.comment_answers import PROBABILITY

MAX_BYTES = 20_480
"""Of a comment in UTF-8, its markup included, as Perspective had it."""
MAX_NAME_CHARS = 256
MAX_LANGUAGES, MAX_LANGUAGE_CHARS = 32, 35
MAX_SUGGESTED_SPANS = 256
HTML = "HTML"

_REQUIRED = {
    "AnalyzeCommentRequest": ["comment", "requestedAttributes"],
    "SuggestCommentScoreRequest": ["comment", "attributeScores"],
}
_LIMITS: dict[str, dict[str, Any]] = {
    "languages": {
        "maxItems": MAX_LANGUAGES,
        "items": {"type": "string", "minLength": 1, "maxLength": MAX_LANGUAGE_CHARS},
    },
    "communityId": {"maxLength": MAX_NAME_CHARS},
    "spanScores": {"maxItems": MAX_SUGGESTED_SPANS},
    "requestedAttributes": {"minProperties": 1},
    "attributeScores": {"minProperties": 1},
    "value": {"minimum": 0, "maximum": 1},
    "begin": {"minimum": 0},
    "end": {"minimum": 1},
}
"""By a property's name, what can be said of the values of a request beyond their type."""
_COMMENT = {"type": "string", "minLength": 1, "maxLength": MAX_BYTES, "pattern": r"\S"}


def _words(about: str) -> dict[str, Any]:
    return {"type": "string", "description": about}


def _flag(about: str) -> dict[str, Any]:
    return {"type": "boolean", "description": about}


def _list(of: Mapping[str, Any], about: str) -> dict[str, Any]:
    return {"type": "array", "items": dict(of), "description": about}


def _map(of: str, about: str) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": {"$ref": of}, "description": about}


def _message(name: str, **properties: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    return name, {"id": name, "type": "object", "properties": {name: dict(of) for name, of in properties.items()}}


_LANGUAGES = _list({"type": "string"}, "The languages the comment is in, by code; identified where none is named.")
_ASKED = {
    "comment": {"$ref": "TextEntry"},
    "context": {"$ref": "Context"},
    "languages": _LANGUAGES,
    "clientToken": _words("Comes back with the answer."),
    "sessionId": _words("Read and not used."),
}
_SCORE_TYPE = {"type": "string", "enum": ["SCORE_TYPE_UNSPECIFIED", PROBABILITY]}
_NUMBER = {"type": "number", "format": "float"}
_OFFSET = {"type": "integer", "format": "int32", "description": "In UTF-16 code units; the end is exclusive."}

MESSAGES: dict[str, dict[str, Any]] = dict(
    (
        _message(
            "TextEntry",
            text=_words(f"At most {MAX_BYTES} bytes in UTF-8 where it is a comment."),
            type={"type": "string", "enum": ["TEXT_TYPE_UNSPECIFIED", "PLAIN_TEXT", HTML]},
        ),
        _message("ArticleAndParentComment", article={"$ref": "TextEntry"}, parentComment={"$ref": "TextEntry"}),
        _message(
            "Context",
            entries=_list({"$ref": "TextEntry"}, "What the comment answers, oldest first."),
            articleAndParentComment={"$ref": "ArticleAndParentComment"},
        ),
        _message(
            "AttributeParameters",
            scoreType=_SCORE_TYPE,
            scoreThreshold={**_NUMBER, "description": "A lower score is left out of the answer."},
        ),
        _message("Score", value=_NUMBER, type=_SCORE_TYPE),
        _message("SpanScore", begin=_OFFSET, end=_OFFSET, score={"$ref": "Score"}),
        _message(
            "AttributeScores",
            summaryScore={"$ref": "Score"},
            spanScores=_list({"$ref": "SpanScore"}, "Scores of parts of the comment."),
        ),
        _message(
            "AnalyzeCommentRequest",
            **_ASKED,
            requestedAttributes=_map("AttributeParameters", f"By name: {', '.join(ATTRIBUTES)}."),
            doNotStore=_flag("Keep nothing that comes from the text; no person will see it, then."),
            spanAnnotations=_flag("Score every sentence, too."),
            communityId=_words("Read and not used."),
        ),
        _message(
            "AnalyzeCommentResponse",
            attributeScores=_map("AttributeScores", "By the names that were requested."),
            languages=_LANGUAGES,
            detectedLanguages=_list({"type": "string"}, "The language it was read in."),
            clientToken=_words("That of the request."),
        ),
        _message(
            "SuggestCommentScoreRequest",
            **_ASKED,
            attributeScores=_map("AttributeScores", "What the comment should score, by attribute."),
            communityId=_words("Whose rules the scores go by."),
        ),
        _message(
            "SuggestCommentScoreResponse",
            clientToken=_words("That of the request."),
            requestedLanguages=_LANGUAGES,
            detectedLanguages=_list({"type": "string"}, "The language that was identified."),
        ),
    )
)


def fields_of(message: str) -> frozenset[str]:
    """Return the names that a message has, in camelCase."""
    return frozenset(MESSAGES[message]["properties"])


def values_of(message: str, name: str) -> frozenset[str]:
    """Return the values that a field of a message may have."""
    return frozenset(MESSAGES[message]["properties"][name]["enum"])


def openapi(name: str) -> dict[str, Any]:
    """Return the JSON Schema of a request: closed, what it must hold, and where null may be."""
    made = _inlined(MESSAGES[name])
    found, made["required"] = made["properties"], _REQUIRED[name]
    for required in _REQUIRED[name]:
        found[required]["type"] = "object"
    found["comment"] |= {"required": ["text"]}
    found["comment"]["properties"]["text"] = _COMMENT
    for scores in found.get("attributeScores", {}).get("properties", {}).values():
        given = {"summaryScore": {"type": "object"}, "spanScores": {"type": "array", "minItems": 1}}
        some = [{"required": [part], "properties": {part: kind}} for part, kind in given.items()]
        scores |= {"type": "object", "anyOf": some}
        spans = scores["properties"]["spanScores"]
        spans["items"]["required"] = ["end", "score"]
        for part, kind in (("end", "integer"), ("score", "object")):
            spans["items"]["properties"][part]["type"] = kind
    return made


def _inlined(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message without references; Google's JSON takes null for any field that is absent."""
    if "$ref" in schema:
        return _inlined(MESSAGES[schema["$ref"]])
    made = {name: value for name, value in schema.items() if name != "id"}
    parts = schema.get("properties")
    if parts is None and "additionalProperties" in schema:
        parts = dict.fromkeys(ATTRIBUTES, schema["additionalProperties"])
    if parts is not None:
        made["properties"] = {name: _part(name, of) for name, of in parts.items()}
        made["additionalProperties"] = False
    if "items" in schema:
        made["items"] = _inlined(schema["items"])
    return made


def _part(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    made = _inlined(schema)
    made |= _LIMITS.get(name, {})
    made["type"] = [made["type"], "null"]
    if "enum" in made:
        made["enum"] = [*made["enum"], None]
    return made
