"""pandas: a DataFrame's rows screened into a frame of decisions, in the same order and under the same index."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from prefilter_client.client import Client
from prefilter_client.columns import COLUMNS, SCORE_COLUMNS, columns_of, given
from prefilter_client.values import Item

if TYPE_CHECKING:  # imported by who calls
    import pandas as pd  # type: ignore[import-untyped,unused-ignore]


def score_frame(
    client: Client,
    frame: pd.DataFrame,
    *,
    text: str = "text",
    id: str | None = None,  # noqa: A002
    language: str | None = None,
    source: str | None = None,
    context: str | None = None,
    policy: str | None = None,
    exact: bool = False,
    concurrency: int = 2,
) -> pd.DataFrame:
    """Screen the column `text`; the other arguments name columns that hold an item's other parts.

    Returns a frame under the same index with `outcome` (missing where the row is an error: not allowed),
    `because` and `error` (JSON), `score_<category>` (float32, NaN where there is none), `enforced`, `decision_id`,
    `case_id`, `stage`, `model_version`, `policy_version`; `frame.join(...)` or `pd.concat` puts them beside. A text
    that is missing or no string is that row's error. Raises KeyError for a column that the frame does not have.
    """
    import pandas as pd

    named = {"id": id, "language": language, "source": source, "context": context}
    parts = {part: frame[column] for part, column in named.items() if column is not None}
    rows = client.score_many(_items(frame[text], parts), policy, exact=exact, concurrency=concurrency)
    columns = columns_of(rows)
    return pd.DataFrame(
        {name: pd.Series(columns[name], index=frame.index, dtype=_kind(name)) for name in COLUMNS},
        index=frame.index,
    )


def _items(texts: Any, parts: dict[str, Any]) -> Iterator[Item]:
    for text, *cells in zip(texts, *parts.values(), strict=True):
        yield Item(text, **{part: given(cell) for part, cell in zip(parts, cells, strict=True)})


def _kind(name: str) -> str:
    if name in SCORE_COLUMNS:
        return "float32"
    return "boolean" if name == "enforced" else "string"
