"""The columns of a scores file that a policy decides: outcome, grounds, and under which policy.

Knows decisions and no rule: who decides is `serving/policy/columns.py`. A row without a decision (its input
was broken) has neither outcome nor grounds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prefilter.serving.bulk.write.compact_json import to_json_each
from prefilter.serving.policy.columns import Grounds
from prefilter.serving.policy.policy import OUTCOMES, Policy

if TYPE_CHECKING:
    import pyarrow as pa


def outcome_columns(
    codes: NDArray[np.int8], grounds: Grounds, policy: Policy, *, decided: NDArray[np.bool_]
) -> dict[str, pa.Array]:
    """Return the columns of n decisions under `policy`; null for rows that are not `decided`."""
    import pyarrow as pa

    none = ~decided
    names = pa.DictionaryArray.from_arrays(
        pa.array(codes, mask=none), pa.array([outcome.value for outcome in OUTCOMES])
    )
    because = np.array(list(to_json_each(_bodies(grounds))), dtype=np.object_)
    return {
        "outcome": names.cast(pa.string()),
        "because": pa.array(because, pa.string(), mask=none),
        "enforced": pa.array(np.full(len(codes), policy.enforced), pa.bool_(), mask=none),
        "policy_version": pa.repeat(policy.label, len(codes)),
    }


def _bodies(grounds: Grounds) -> Iterator[list[dict[str, object]]]:
    """Return the grounds of each row in their JSON shape."""
    kinds: list[dict[str, object]] = [dict(kind.to_json()) for kind in grounds.kinds]

    def body(kind: int, score: float) -> dict[str, object]:
        found = kinds[kind]
        return {**found, "score": score} if "score" in found else found

    return grounds.by_row(body)
