"""The policy form: what a person typed per category, as a policy body, and a body as fields again.

Pure; it knows no page and no database. Per-stream overrides and reasons that the form does not show are
taken over from the version the edit began with; a category's own reason goes when its edges change, since
it no longer holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from prefilter.models.labels import ANY, CATEGORIES
from prefilter.serving.errors import BadRequest
from prefilter.serving.policy.policy import MAX_UNSAFE_CHARS, Bands, Policy

ROWS: tuple[str, ...] = (ANY, *CATEGORIES)


@dataclass(frozen=True, slots=True)
class EdgeRow:
    """One line of the form: the edges of the active version beside those being edited."""

    category: str
    active: Bands | None
    edited: Bands | None

    @property
    def changed(self) -> bool:
        """Whether the edges differ from the active ones."""
        return self.active != self.edited

    @property
    def widths(self) -> tuple[float, float, float]:
        """The widths of the allow, review and block bands; they add up to 1."""
        if self.edited is None:
            return (1.0, 0.0, 0.0)
        block = 1.0 if self.edited.block is None else self.edited.block
        review = block if self.edited.review is None else min(self.edited.review, block)
        return (review, block - review, 1.0 - block)


def rows(active: Policy, edited: Policy) -> list[EdgeRow]:
    """Return a line for every category, `any` first."""
    return [EdgeRow(name, active.categories.get(name), edited.categories.get(name)) for name in ROWS]


def body_of(fields: Mapping[str, str], base: Policy) -> dict[str, object]:
    """Read the form into a policy body; raises BadRequest naming the field that is no number from 0 to 1."""
    categories: dict[str, object] = {}
    for name in ROWS:
        review = _edge(fields, f"review-{name}", name)
        block = _edge(fields, f"block-{name}", name)
        if review is None and block is None:
            continue
        bands: dict[str, object] = {"review": review, "block": block}
        before = base.categories.get(name)
        if before is not None and before.reason and before == Bands(review, block):
            bands = before.to_body()
        categories[name] = bands
    body = base.to_body()
    body.update(
        categories=categories,
        unreadable=fields.get("unreadable", base.unreadable.value),
        enforced=fields.get("enforced", "") == "yes",
        reason=fields.get("reason", "").strip(),
        streaming={"max_unsafe_chars": _chars(fields, base.max_unsafe_chars)},
    )
    return body


def _chars(fields: Mapping[str, str], base: int) -> int:
    raw = fields.get("max_unsafe_chars", str(base)).strip()
    if not raw.isascii() or not raw.isdigit() or int(raw[:9]) > MAX_UNSAFE_CHARS:
        message = f"How much may go out is a whole number from 0 to {MAX_UNSAFE_CHARS}."
        raise BadRequest(message, field="streaming.max_unsafe_chars")
    return int(raw)


def _edge(fields: Mapping[str, str], field: str, category: str) -> float | None:
    raw = fields.get(field, "").strip().replace(",", ".")
    if not raw:
        return None
    try:
        value = float(raw)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise BadRequest("An edge is a number from 0 to 1, or empty.", field=f"categories.{category}")
    return value
