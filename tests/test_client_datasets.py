"""A real Hugging Face dataset screened through a real server: whole, by splits, and as it is read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import datasets
import numpy as np
import pytest
from datasets import Dataset, DatasetDict, IterableDataset
from prefilter_client import Client
from prefilter_client.columns import COLUMNS
from prefilter_client.datasets import keep_allowed, screen

from client_samples import CLEAN, FOREIGN, Served, shipped

__all__ = ["shipped"]
TEXTS = [None, " ", *[f"{CLEAN} {number}" for number in range(5)], FOREIGN]


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    datasets.disable_progress_bars()
    yield
    datasets.enable_progress_bars()


@pytest.fixture
def client(shipped: Served) -> Iterator[Client]:
    with Client(shipped.url, shipped.key) as made:
        yield made


@pytest.fixture
def dataset() -> Dataset:
    return Dataset.from_dict({"text": TEXTS, "n": list(range(len(TEXTS)))})


def test_a_dataset_gets_its_columns_and_keeps_its_own(client: Client, dataset: Dataset) -> None:
    found = screen(dataset, client, id_column="n", batch_size=2)
    assert found.column_names == ["text", "n", *COLUMNS]
    assert found["text"][:] == TEXTS
    assert found["outcome"][:] == [None, None, *["allow"] * 5, "review"]
    assert [error is None for error in found["error"]] == [False, False, *[True] * 6]
    alone: Any = client.score(TEXTS[2])[0]  # type: ignore[arg-type]
    assert np.float32(found["score_insult"][2]) == np.float32(alone.scores["insult"])
    assert found["score_insult"][0] is None
    assert found.features["score_any"].dtype == "float32"
    assert client.decision(found["decision_id"][2]).id == "2"


def test_only_what_is_allowed_is_kept(client: Client, dataset: Dataset) -> None:
    assert keep_allowed(screen(dataset, client))["text"][:] == TEXTS[2:7]


def test_a_stream_is_screened_as_it_is_read(client: Client, dataset: Dataset) -> None:
    read: list[int] = []

    def rows() -> Iterator[dict[str, Any]]:
        for number, text in enumerate(TEXTS * 100):
            read.append(number)
            yield {"text": text}

    for source in (IterableDataset.from_generator(rows), dataset.to_iterable_dataset()):
        kept = list(keep_allowed(screen(source, client, batch_size=4)).take(2))
        assert [row["text"] for row in kept] == TEXTS[2:4]
        assert set(COLUMNS) < set(kept[0])
    assert len(read) <= 16


def test_every_split_is_screened(client: Client, dataset: Dataset) -> None:
    found = screen(DatasetDict(train=dataset, test=dataset.select([3])), client)
    assert isinstance(found, DatasetDict)
    assert found["test"]["outcome"][:] == ["allow"]
    assert keep_allowed(found).num_rows == {"train": 5, "test": 1}


def test_a_screening_is_never_taken_from_the_cache(client: Client, dataset: Dataset, tmp_path: Any) -> None:
    dataset.save_to_disk(str(tmp_path / "saved"))
    saved = datasets.load_from_disk(str(tmp_path / "saved"))
    first, second = (screen(saved, client)["decision_id"][2] for _ in range(2))
    assert first != second


def test_missing_or_taken_columns_are_refused_before_anything_is_sent(client: Client, dataset: Dataset) -> None:
    with pytest.raises(ValueError, match="no column body"):
        screen(dataset, client, text_column="body")
    with pytest.raises(ValueError, match="already has a column outcome"):
        screen(dataset.rename_column("n", "outcome"), client)
