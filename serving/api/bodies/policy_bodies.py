"""What the routes on policies read and answer. What a policy may say is judged by the policy itself."""

from __future__ import annotations

from typing import Annotated, NotRequired

from pydantic import Field, with_config
from typing_extensions import TypedDict

from prefilter.serving.http.body_reader import CLOSED, BodyReader, DescribedAs, JsonObject, Storable, hint
from prefilter.serving.policy.policy import MAX_UNSAFE_CHARS

Edge = Annotated[float, Field(ge=0, le=1)] | None


@with_config(CLOSED)
class BandsBody(TypedDict):
    """The edges of one category; without them it allows everything."""

    review: NotRequired[Edge]
    block: NotRequired[Edge]
    reason: NotRequired[str]


@with_config(CLOSED)
class StreamingBody(TypedDict):
    """What holds for a text that is screened while it is written."""

    max_unsafe_chars: NotRequired[Annotated[int, Field(ge=0, le=MAX_UNSAFE_CHARS)]]


Categories = dict[str, BandsBody]
CategoriesField = Annotated[JsonObject, DescribedAs(Annotated[Categories, Field(min_length=1)])]


class PolicyFields(TypedDict):
    """What a policy says."""

    categories: CategoriesField
    unreadable: NotRequired[Annotated[Storable, hint(enum=["review", "block"])] | None]
    enforced: NotRequired[bool | None]
    sources: NotRequired[Annotated[JsonObject, DescribedAs(dict[str, Categories])] | None]
    streaming: NotRequired[Annotated[JsonObject, DescribedAs(StreamingBody)] | None]


@with_config(CLOSED)
class DraftBody(PolicyFields):
    """A version of a policy, and why."""

    reason: Storable


@with_config(CLOSED)
class WhatIfBody(PolicyFields):
    """A draft of a policy, to be tried."""

    reason: NotRequired[Storable | None]


@with_config(CLOSED)
class ChangeBody(TypedDict):
    """Why another version shall decide, and which one its caller saw deciding."""

    reason: Storable
    active_version: NotRequired[Annotated[int, hint(minimum=0)] | None]


DRAFT, WHAT_IF, CHANGE = BodyReader(DraftBody), BodyReader(WhatIfBody), BodyReader(ChangeBody)


class PolicyVersion(TypedDict):
    """One version of a policy."""

    version: int
    status: Annotated[str, hint(enum=["draft", "active", "retired"])]
    body: dict[str, object]
    reason: str
    created_at: str
    created_by: str


class ListedPolicy(TypedDict):
    """A policy with the version that decides, None where none does."""

    name: str
    active: PolicyVersion | None
    newest_version: int


class PoliciesAnswer(TypedDict):
    """Every policy."""

    policies: list[ListedPolicy]


class PolicyActivation(TypedDict):
    """One change of the active version."""

    version: int
    previous_version: int | None
    rolled_back: bool
    at: str
    actor: str
    reason: str


class PolicyAnswer(TypedDict):
    """One policy and its history, newest first."""

    name: str
    active: PolicyVersion | None
    versions: list[PolicyVersion]
    activations: list[PolicyActivation]


class OutcomeCounts(TypedDict):
    """How many decisions have which outcome."""

    allow: int
    review: int
    block: int


class WhatIfAnswer(TypedDict):
    """What a draft would change among recent decisions.

    `decisions_of`: whose, null for those of every policy; `estimated`: how many have the fast stage's scores.
    """

    before: OutcomeCounts
    after: OutcomeCounts
    flips: dict[str, int]
    n: int
    decisions_of: str | None
    estimated: int

