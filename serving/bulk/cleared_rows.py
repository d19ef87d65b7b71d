"""Rows that the fast stage cleared: their scores are estimates, and say no more than that the row lies below edges.

Those are the edges of the policy that it was cleared under, by source, which a scores file keeps in its metadata.
Under any other edges such a row is deferred, with its own reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from prefilter.serving.policy.policy import Policy

if TYPE_CHECKING:
    import pyarrow as pa

FAST_STAGE_ONLY = "fast_stage_only"
"""The reason of a row whose scores are estimates that the policy at hand cannot rely on."""
ANY_SOURCE = ""
"""Stands for every source that a policy has no bands of its own for."""


def edges_by_source(policy: Policy) -> dict[str, dict[str, float]]:
    """The edges of a policy for each source it knows, and under ANY_SOURCE for all others."""
    return {ANY_SOURCE: policy.edges_for(None), **{name: policy.edges_for(name) for name in policy.sources}}


def held_back(
    sources: pa.Array,
    stages: pa.Array,
    policy: Policy,
    cleared_under: Mapping[str, object] | None,
    *,
    foreign: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Which rows the fast stage cleared under other edges than the policy's, or under unknown ones.

    `foreign`: rows that another policy decided than the one the file names, which were joined to it from elsewhere.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    fast = pc.fill_null(pc.equal(stages, "fast"), False)
    known = pc.unique(sources.filter(fast)).to_pylist()
    then = cleared_under or {}
    differing = [
        source for source in known if then.get(source, then.get(ANY_SOURCE)) != policy.edges_for(source)
    ]
    stale = pc.is_in(sources, value_set=pa.array(differing, pa.string()))
    found: NDArray[np.bool_] = np.asarray(pc.and_(fast, stale)) | (np.asarray(fast) & foreign)
    return found
