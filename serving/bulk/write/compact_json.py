"""Compact JSON, as it is written into a scores file: text unescaped, floats unrounded, no NaN.

Whole values are written by the JSON library. Of very many objects that differ in one number alone it writes each
kind and each number once, and Arrow puts them together.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, check_circular=False)
_MARKER = "\0"
"""Marks a place in an object; no name of a category and no reason holds this character."""


def to_json(value: object) -> str:
    """Return `value` as JSON; raises ValueError for a number that JSON does not know."""
    return _ENCODER.encode(value)


def number_texts(numbers: NDArray[np.float64]) -> list[str]:
    """Return each number [n] as JSON; raises ValueError for one that JSON does not know."""
    return _ENCODER.encode(numbers.tolist())[1:-1].split(",") if len(numbers) else []


def around(body: Mapping[str, object], key: str) -> tuple[str, str]:
    """Return the JSON of an object before and after the value of `key`; all of it and "" where it has none.

    Raises ValueError where another of its values holds NUL, which marks the place.
    """
    if key not in body:
        return to_json(body), ""
    before, after = to_json({**body, key: _MARKER}).split(to_json(_MARKER))
    return before, after


def json_lists(objects: pa.Array, lengths: Sequence[int] | NDArray[np.intp]) -> pa.Array:
    """Return JSON arrays [n] of JSON objects [m] that lie end to end; `lengths` [n]: how many each takes."""
    import pyarrow as pa
    import pyarrow.compute as pc

    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    listed = pa.ListArray.from_arrays(pa.array(offsets), objects)
    return pc.binary_join_element_wise("[", pc.binary_join(listed, ","), "]", "")
