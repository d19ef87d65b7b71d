"""The columns of a scores file that a policy decides: outcome, grounds, and under which policy.

Knows decisions and no rule: who decides is `serving/policy/columns.py`. A row without a decision (its input
was broken) has neither outcome nor grounds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prefilter.serving.bulk.write.compact_json import around, json_lists, number_texts
from prefilter.serving.policy.columns import Grounds
from prefilter.serving.policy.policy import OUTCOMES, Policy

if TYPE_CHECKING:
    import pyarrow as pa


def outcome_columns(
    codes: NDArray[np.int8], grounds: Grounds, policy: Policy, *, decided: NDArray[np.bool_]
) -> dict[str, pa.Array]:
    """Return the columns of n decisions under `policy`; null for rows that are not `decided`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    none = ~decided
    names = pa.DictionaryArray.from_arrays(
        pa.array(codes, mask=none), pa.array([outcome.value for outcome in OUTCOMES])
    )
    return {
        "outcome": names.cast(pa.string()),
        "because": pc.if_else(pa.array(decided), _because(grounds), pa.scalar(None, pa.string())),
        "enforced": pa.array(np.full(len(codes), policy.enforced), pa.bool_(), mask=none),
        "policy_version": pa.repeat(policy.label, len(codes)),
    }


def _because(grounds: Grounds) -> pa.Array:
    """Return the grounds of each row [n] as JSON."""
    import pyarrow as pa
    import pyarrow.compute as pc

    bodies = [kind.to_json() for kind in grounds.kinds]
    parts = [around(dict(body), "score") for body in bodies]
    before, after = (pa.array([part[side] for part in parts], pa.string()) for side in (0, 1))
    scored = np.array(["score" in body for body in bodies], dtype=np.bool_)[grounds.kind]
    numbers = pa.array(number_texts(np.where(scored, grounds.scores, 0.0)), pa.string())
    kind = pa.array(grounds.kind)
    objects = pc.binary_join_element_wise(
        before.take(kind), pc.if_else(pa.array(scored), numbers, ""), after.take(kind), ""
    )
    ends = np.flatnonzero(np.diff(grounds.rows, append=-1) != 0) + 1
    return json_lists(objects, np.diff(ends, prepend=0))
