"""The values of the client, frozen: an Item goes in, and for each a Decision or a RowError comes out.

They know nothing of HTTP. Texts stay out of every repr, so that a value may be printed or logged. Scores are the
service's float32, widened; offsets are code points into the text as it was sent, end exclusive.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Literal

Outcome = Literal["allow", "review", "block"]
OUTCOMES: tuple[Outcome, ...] = ("allow", "review", "block")
CATEGORIES = (
    "toxicity",
    "profanity",
    "insult",
    "harassment",
    "hate",
    "threat",
    "violence",
    "sexual",
    "self_harm",
    "illicit",
)
SCORES = (*CATEGORIES, "any")
"""The scores of the taxonomy, in the order of their columns; `any` is the model's one-number verdict of harm."""


@dataclass(frozen=True, slots=True)
class Item:
    """A text to be screened.

    `id` is the caller's; where it is missing the service makes one from the text, the same for the same text.
    `context` is what was written before the text: a prompt, or the previous post.
    """

    text: str = field(repr=False)
    _: KW_ONLY
    id: str | None = None
    language: str | None = None
    source: str | None = None
    context: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """The policy that decided."""

    name: str
    version: int


@dataclass(frozen=True, slots=True)
class Because:
    """One ground of an outcome: a category whose score is in a band, or a reason why there is no score."""

    category: str | None = None
    score: float | None = None
    band: tuple[float, float] | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where a category was found: `text[start:end]`, in code points."""

    category: str
    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True)
class Tokens:
    """How much of a text was read, in word pieces."""

    seen: int
    total: int


@dataclass(frozen=True, slots=True)
class Placed:
    """The band of its category that a score is in (only with `explain`)."""

    outcome: Outcome
    band: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The service's recorded answer for one item.

    `enforced` is False under a monitoring policy: then `outcome` says what would have been done. `scores` is
    empty where a valid text could not be scored; its outcome is `review`.
    """

    id: str
    outcome: Outcome
    because: tuple[Because, ...]
    scores: Mapping[str, float]
    tokens: Tokens
    windows: int
    stage: str
    evidence: tuple[Evidence, ...]
    decision_id: str
    case_id: str | None
    enforced: bool
    model_version: str
    policy: PolicyVersion
    context: Tokens | None = None
    bands: Mapping[str, Placed] | None = None

    @property
    def allowed(self) -> bool:
        """Whether the outcome is `allow`."""
        return self.outcome == "allow"


@dataclass(frozen=True, slots=True)
class RowError:
    """An item that breaks the contract: it has no outcome, and is not allowed. `id` is None where it had none."""

    id: str | None
    code: str
    message: str

    @property
    def allowed(self) -> bool:
        """False: nothing was decided."""
        return False


Row = Decision | RowError


@dataclass(frozen=True, slots=True)
class ScoreResponse:
    """The answer to one request: a row for each item, in the order they were sent.

    `uncalibrated` lists the categories whose scores are not calibrated; they never block alone.
    """

    rows: tuple[Row, ...]
    model_version: str
    policy: PolicyVersion
    uncalibrated: tuple[str, ...]

    def __iter__(self) -> Iterator[Row]:
        """Go through the rows."""
        return iter(self.rows)

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.rows)

    def __getitem__(self, number: int) -> Row:
        """Return the row of the item with this number, from 0."""
        return self.rows[number]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedDecision:
    """A decision as the service keeps it: without text, windows and evidence. `created_at` is ISO 8601, UTC."""

    decision_id: str
    id: str
    outcome: Outcome
    because: tuple[Because, ...]
    scores: Mapping[str, float]
    tokens: Tokens
    stage: str
    enforced: bool
    language: str | None
    source: str | None
    policy: PolicyVersion
    model_version: str
    created_at: str
