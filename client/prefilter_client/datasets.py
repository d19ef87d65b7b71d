"""Hugging Face datasets: columns of decisions added beside the texts, and a filter that keeps what is allowed.

Works on a Dataset, an IterableDataset (as it is read), and a dictionary of either. A result is never taken from
the library's cache, which does not know whether the policy has changed since.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from prefilter_client.client import Client
from prefilter_client.columns import COLUMNS, SCORE_COLUMNS, columns_of, given
from prefilter_client.values import Item

D = TypeVar("D")
"""A dataset: Dataset, IterableDataset, DatasetDict or IterableDatasetDict."""


def screen(
    dataset: D,
    client: Client,
    *,
    text_column: str = "text",
    id_column: str | None = None,
    language_column: str | None = None,
    source_column: str | None = None,
    context_column: str | None = None,
    policy: str | None = None,
    exact: bool = False,
    batch_size: int = 1_000,
    concurrency: int = 2,
) -> D:
    """Screen the texts of a dataset; returns it with the columns of `prefilter_client.columns` added.

    `outcome` is None where the row is an error (not allowed), whose `error` says why. Raises ValueError where the
    dataset has no such column, or already has one of the columns that are added.
    """
    parts = {
        "text": text_column,
        "id": id_column,
        "language": language_column,
        "source": source_column,
        "context": context_column,
    }
    read = {part: column for part, column in parts.items() if column is not None}

    def added(batch: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
        items = [
            Item(cells[0], **{part: given(cell) for part, cell in zip(list(read)[1:], cells[1:], strict=True)})
            for cells in zip(*(batch[column] for column in read.values()), strict=True)
        ]
        return columns_of(client.score_many(items, policy, exact=exact, concurrency=concurrency))

    def screened(part: Any) -> Any:
        if isinstance(part, dict):
            return type(part)({name: screened(split) for name, split in part.items()})
        _check_columns(part, read.values())
        return _mapped(part, added, batch_size)

    found: D = screened(dataset)
    return found


def keep_allowed(dataset: D) -> D:
    """Keep the rows of a screened dataset whose outcome is `allow`; an IterableDataset is filtered as it is read."""
    from datasets import (  # type: ignore[import-untyped,unused-ignore]
        IterableDataset,
        IterableDatasetDict,
    )

    one_by_one = isinstance(dataset, (IterableDataset, IterableDatasetDict))
    keep: Any = _allowed if one_by_one else _each_allowed
    found: D = dataset.filter(keep, batched=not one_by_one, input_columns=["outcome"])  # type: ignore[attr-defined]
    return found


def _allowed(outcome: str | None) -> bool:
    return outcome == "allow"


def _each_allowed(outcomes: Sequence[str | None]) -> list[bool]:
    return [_allowed(outcome) for outcome in outcomes]


def _check_columns(dataset: Any, wanted: Any) -> None:
    names = dataset.column_names
    if names is None:  # an iterable dataset that says nothing before it is read
        return
    missing = sorted(set(wanted) - set(names))
    taken = sorted(set(COLUMNS) & set(names))
    if missing:
        raise ValueError(f"the dataset has no column {', '.join(missing)}")
    if taken:
        raise ValueError(f"the dataset already has a column {', '.join(taken)}: rename it first")


def _mapped(dataset: Any, added: Any, batch_size: int) -> Any:
    import datasets  # type: ignore[import-untyped,unused-ignore]

    if isinstance(dataset, datasets.IterableDataset):
        features = None if dataset.features is None else _features(dataset.features)
        return dataset.map(added, batched=True, batch_size=batch_size, features=features)
    return dataset.map(
        added,
        batched=True,
        batch_size=batch_size,
        features=_features(dataset.features),
        load_from_cache_file=False,
        new_fingerprint=uuid.uuid4().hex[:16],
        desc="Screening",
    )


def _features(before: Any) -> Any:
    """Return a dataset's features with the added columns; named, because a batch may hold no value of a column."""
    from datasets import Features, Value

    kinds = {**dict.fromkeys(SCORE_COLUMNS, "float32"), "enforced": "bool"}
    return Features({**before, **{name: Value(kinds.get(name, "string")) for name in COLUMNS}})
