"""The bodies of the Perspective API: a comment with what is asked about it, or with what somebody says of it.

They are read as Google's services read JSON: a name in camelCase or snake_case, null for an absent field, an unknown
name refused. Everything that is asked is read or refused; `sessionId` alone means nothing here. Knows no web framework
and no model; no message repeats a value, and a name only where it looks like one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from prefilter.models.text.context import check_context, given_context
from prefilter.models.text.language import READABLE
from prefilter.models.text.normalisation import check_text
from prefilter.serving.compat.perspective.comment_messages import (
    HTML,
    MAX_BYTES,
    MAX_LANGUAGE_CHARS,
    MAX_LANGUAGES,
    MAX_NAME_CHARS,
    MAX_SUGGESTED_SPANS,
    fields_of,
    values_of,
)
from prefilter.serving.compat.perspective.google_errors import BadComment
from prefilter.serving.compat.perspective.hypertext import Plain, text_of
from prefilter.serving.compat.perspective.sentences import utf16
from prefilter.serving.errors import BadRequest
from prefilter.serving.http.json_reader import read_json, shown
from prefilter.serving.screening.suggested_scores import SuggestedScore

_HUMP = re.compile(r"_([a-z])")
_TEXT_TYPES = values_of("TextEntry", "type")
_SCORE_TYPES = values_of("Score", "type")
_WORDS: dict[type, str] = {str: "a string", bool: "true or false", dict: "an object", list: "a list"}

Value = TypeVar("Value")

Names = Collection[str]
"""Those of the attributes that can be asked for."""


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment: `plain` is what is read of it, `sent` what its offsets count."""

    sent: str = field(repr=False)
    plain: Plain = field(repr=False)
    context: str | None = field(default=None, repr=False)
    languages: tuple[str, ...] = ()
    client_token: str | None = field(default=None, repr=False)
    community_id: str | None = field(default=None, repr=False)

    @property
    def language(self) -> str | None:
        """The language it is scored as: of those declared the first that can be read, else the first."""
        readable = (code for code in self.languages if code.lower().replace("_", "-").split("-")[0] == READABLE)
        return next(readable, self.languages[0] if self.languages else None)

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return UTF-16 offsets into the comment as sent for characters [start, end) of what is read."""
        first, last = self.plain.original(start, end)
        return utf16(self.sent, first), utf16(self.sent, last)

    @property
    def whole(self) -> tuple[int, int]:
        """The UTF-16 offsets of all of it."""
        return 0, utf16(self.sent, len(self.sent))


@dataclass(frozen=True, slots=True)
class Analysis:
    """What is asked about a comment: attributes in the order asked, each with the score below which it is left out."""

    comment: Comment
    thresholds: Mapping[str, float | None]
    keep: bool = True
    spans: bool = False


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A comment and all that somebody says of it."""

    comment: Comment
    scores: tuple[SuggestedScore, ...]


def read_analysis(raw: bytes, *, names: Names, max_text_chars: int) -> Analysis:
    """Read the body of `comments:analyze`; raises BadRequest, BadComment where the comment or the asking is wrong."""
    body = _body(raw, "AnalyzeCommentRequest")
    comment = _comment(body, max_text_chars)
    asked = _get(body, "requestedAttributes", dict) or {}
    if not asked:
        raise BadComment("NO_REQUESTED_ATTRIBUTES", "Missing requested_attributes")
    thresholds: dict[str, float | None] = {}
    for name, value in asked.items():
        _check_name(name, names)
        where = f"requested_attributes[{name}]"
        given = _object(value, "AttributeParameters", where)
        _check_score_type(given.get("scoreType"), name)
        thresholds[name] = None if given.get("scoreThreshold") is None else _number(given["scoreThreshold"], where)
    return Analysis(
        comment,
        thresholds,
        keep=not _get(body, "doNotStore", bool),
        spans=bool(_get(body, "spanAnnotations", bool)),
    )


def read_suggestion(raw: bytes, *, names: Names, max_text_chars: int) -> Suggestion:
    """Read the body of `comments:suggestscore`; raises as `read_analysis` does."""
    body = _body(raw, "SuggestCommentScoreRequest")
    comment = _comment(body, max_text_chars)
    said = _get(body, "attributeScores", dict) or {}
    if not said:
        raise BadComment("INVALID_REQUEST", "Missing attribute_scores")
    scores: list[SuggestedScore] = []
    for name, value in said.items():
        _check_name(name, names)
        where = f"attribute_scores[{name}]"
        given = _object(value, "AttributeScores", where)
        found = _suggested(given, name, where, length=comment.whole[1])
        if not found:
            raise BadComment("INVALID_REQUEST", f"Missing a score for attribute {name}")
        scores += found
    return Suggestion(comment, tuple(scores))


def _suggested(given: Mapping[str, object], name: str, where: str, *, length: int) -> list[SuggestedScore]:
    found = []
    if given.get("summaryScore") is not None:
        found.append(SuggestedScore(name, _score(given["summaryScore"], name, f"{where}.summary_score")))
    spans = _get(given, "spanScores", list, where) or []
    if len(spans) > MAX_SUGGESTED_SPANS:
        raise BadComment("INVALID_REQUEST", f"At most {MAX_SUGGESTED_SPANS} span_scores for one attribute")
    for span in spans:
        parts = _object(span, "SpanScore", f"{where}.span_scores")
        begin, end = 0 if parts.get("begin") is None else parts["begin"], parts.get("end")
        if type(begin) is not int or type(end) is not int or not 0 <= begin < end <= length:
            raise BadComment("INVALID_REQUEST", f"A span of attribute {name} is not within the comment")
        if parts.get("score") is None:
            raise BadComment("INVALID_REQUEST", f"Missing a score for a span of attribute {name}")
        found.append(SuggestedScore(name, _score(parts["score"], name, f"{where}.span_scores.score"), begin, end))
    return found


def _score(value: object, name: str, where: str) -> float:
    given = _object(value, "Score", where)
    _check_score_type(given.get("type"), name)
    score = 0.0 if given.get("value") is None else _number(given["value"], where)
    if not 0 <= score <= 1:
        raise BadComment("INVALID_REQUEST", f"A score of attribute {name} is not a probability")
    return score


def _comment(body: Mapping[str, object], max_text_chars: int) -> Comment:
    sent, plain = _text(body.get("comment"), "comment")
    if check_text(plain.text, max_chars=None) is not None:
        raise BadComment("COMMENT_EMPTY", "Comment must be non-empty.")
    languages = _get(body, "languages", list) or []
    if len(languages) > MAX_LANGUAGES or not all(
        isinstance(code, str) and 0 < len(code) <= MAX_LANGUAGE_CHARS for code in languages
    ):
        raise BadRequest("Invalid value at 'languages'", code="wrong_type", field="languages")
    community_id = _get(body, "communityId", str)
    if community_id is not None and len(community_id) > MAX_NAME_CHARS:
        raise BadRequest(f"communityId has more than {MAX_NAME_CHARS} characters", code="bad_id", field="communityId")
    _get(body, "sessionId", str)
    return Comment(
        sent,
        plain,
        _context(body, max_text_chars),
        tuple(languages),
        _get(body, "clientToken", str) or None,
        community_id or None,
    )


def _text(value: object, where: str) -> tuple[str, Plain]:
    """Return a text entry as sent and as it is read; "" for an absent one."""
    entry = _object(value, "TextEntry", where)
    sent = _get(entry, "text", str, where) or ""
    if not _is_one_of(entry.get("type"), _TEXT_TYPES):
        raise BadComment("INVALID_REQUEST", "Unknown text type")
    error = check_text(sent, max_chars=None)
    if error is not None and error.code == "lone_surrogate":
        raise BadRequest(f"Invalid value at '{where}.text'", code=error.code, field=f"{where}.text")
    hypertext = entry.get("type") == HTML
    if (where == "comment" or hypertext) and len(sent.encode("utf-8")) > MAX_BYTES:
        raise BadComment("COMMENT_TOO_LONG", "Comment text too long.")
    return sent, text_of(sent) if hypertext else Plain(sent)


def _context(body: Mapping[str, object], max_text_chars: int) -> str | None:
    """Return what the comment answers: the entries in order, or the article and then the comment above this one."""
    given = _object(body.get("context"), "Context", "context")
    entries = _get(given, "entries", list, "context") or []
    if None in entries:
        raise BadRequest("Invalid value at 'context.entries'", code="wrong_type", field="context.entries")
    above = given.get("articleAndParentComment")
    if entries and above is not None:
        message = "Context can have either entries or article_and_parent_comment, but both fields were populated."
        raise BadComment("INVALID_REQUEST", message)
    if above is not None:
        parts = _object(above, "ArticleAndParentComment", "context.article_and_parent_comment")
        entries = [parts.get("article"), parts.get("parentComment")]
    texts = [_text(entry, "context.entries")[1].text for entry in entries]
    context = "\n".join(text for text in texts if text.strip())
    error = check_context(context, max_chars=max_text_chars)
    if error is not None:
        raise BadRequest(error.message, code=error.code, field="context")
    return given_context(context)


def _body(raw: bytes, message: str) -> dict[str, object]:
    # An empty body is an empty message.
    return _object(read_json(raw) if raw.strip() else {}, message, "")


def _object(value: object, message: str, where: str) -> dict[str, object]:
    """Return a message with its names in camelCase; {} for an absent one. Raises BadRequest."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadRequest(f"Invalid value at '{where or 'body'}', must be an object", code="wrong_type", field=where)
    known = fields_of(message)
    found: dict[str, object] = {}
    for name, given in value.items():
        plain = _HUMP.sub(lambda hump: hump[1].upper(), name)
        if plain not in known:
            at = f" at '{where}'" if where else ""
            words = f'Invalid JSON payload received. Unknown name "{shown(name)}"{at}: Cannot find field.'
            raise BadRequest(words, code="unknown_field", field=where)
        if plain in found:
            raise _twice(where)
        found[plain] = given
    if type(value) is not dict:  # the reader marks objects in which a name stood twice
        raise _twice(where)
    return found


def _twice(where: str) -> BadRequest:
    message = f"Invalid JSON payload received. A name stands twice at '{where or 'body'}'."
    return BadRequest(message, code="duplicate_field", field=where)


def _get(given: Mapping[str, object], name: str, kind: type[Value], where: str = "") -> Value | None:
    """Return a field of this type, None where it is absent. Raises BadRequest."""
    value = given.get(name)
    if value is not None and not isinstance(value, kind):
        field = f"{where}.{name}" if where else name
        raise BadRequest(f"Invalid value at '{field}', must be {_WORDS[kind]}", code="wrong_type", field=field)
    return value


def _number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BadRequest(f"Invalid value at '{where}', must be a number", code="wrong_type", field=where)
    return float(value)


def _check_name(name: str, names: Names) -> None:
    if name not in names:
        known = ", ".join(sorted(names))
        raise BadComment("INVALID_REQUEST", f"Unknown requested attribute: {shown(name)}. Known: {known}")


def _check_score_type(value: object, name: str) -> None:
    if not _is_one_of(value, _SCORE_TYPES):
        raise BadComment("INVALID_REQUEST", f"Requested score type is not supported by attribute {name}")


def _is_one_of(value: object, values: frozenset[str]) -> bool:
    return value is None or (isinstance(value, str) and value in values)
