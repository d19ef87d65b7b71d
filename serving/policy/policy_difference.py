"""What two policies say differently, field by field, each named by its dotted path. Knows bodies, not what they do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prefilter.serving.policy.policy import Policy

ABSENT = "-"


@dataclass(frozen=True, slots=True)
class Difference:
    """One field; a side that does not have it is ABSENT."""

    field: str
    before: object
    after: object


def differences(before: Policy, after: Policy) -> list[Difference]:
    """Return the fields that differ, in order of their names; [] where both decide alike."""
    was, now = (dict(_fields(policy.to_body())) for policy in (before, after))
    found = [Difference(name, was.get(name, ABSENT), now.get(name, ABSENT)) for name in sorted({*was, *now})]
    return [one for one in found if one.before != one.after]


def _fields(body: Mapping[str, object], path: str = "") -> Iterator[tuple[str, object]]:
    for key, value in body.items():
        if isinstance(value, Mapping):
            yield from _fields(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value
