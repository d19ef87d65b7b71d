"""A real DataFrame screened through a real server: a row for each row, the same index, always the same columns."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from prefilter_client import CATEGORIES, Client
from prefilter_client.pandas import score_frame

from client_samples import CLEAN, FOREIGN, Served, shipped

__all__ = ["shipped"]


@pytest.fixture
def frame() -> pd.DataFrame:
    rows = {"body": [CLEAN, FOREIGN, None, CLEAN + " Again."], "n": [1, 2, 3, 4], "lang": ["en", None, None, np.nan]}
    return pd.DataFrame(rows, index=["x", "x", "y", "z"])


def test_a_frame_is_screened_row_by_row_under_its_own_index(shipped: Served, frame: pd.DataFrame) -> None:
    with Client(shipped.url, shipped.key) as client:
        found = score_frame(client, frame, text="body", id="n", language="lang")
        alone = client.score(CLEAN)[0]
    assert found.index.equals(frame.index)
    assert found["outcome"].isna().tolist() == [False, False, True, False]
    assert found["outcome"].dropna().tolist() == ["allow", "review", "allow"]
    assert json.loads(found["error"].iloc[2])["code"] == "not_a_string"
    assert found["score_toxicity"].iloc[0] == np.float32(alone.scores["toxicity"])  # type: ignore[union-attr]
    assert found["score_any"].isna().tolist() == [False, True, True, False]
    assert json.loads(found["because"].iloc[1]) == [{"reason": "unreadable_language"}]
    assert found["case_id"].notna().tolist() == [False, True, False, False]
    assert (frame.join(found) if frame.index.is_unique else pd.concat([frame, found], axis=1)).shape[0] == 4


def test_the_columns_do_not_depend_on_the_rows(shipped: Served, frame: pd.DataFrame) -> None:
    with Client(shipped.url, shipped.key) as client:
        all_of_it = score_frame(client, frame, text="body")
        none_of_it = score_frame(client, frame.iloc[:0], text="body")
        only_errors = score_frame(client, frame.iloc[2:3], text="body")
    assert all_of_it.dtypes.to_dict() == none_of_it.dtypes.to_dict() == only_errors.dtypes.to_dict()
    assert {f"score_{category}" for category in CATEGORIES} < set(all_of_it.columns)
    assert len(none_of_it) == 0


def test_ids_and_sources_are_those_of_the_frame(shipped: Served) -> None:
    frame = pd.DataFrame({"text": [CLEAN], "key": [17], "from": ["forum"]})
    with Client(shipped.url, shipped.key) as client:
        found = score_frame(client, frame, id="key", source="from", policy="monitor-only", exact=True)
        kept = client.decision(found["decision_id"].iloc[0])
    assert (kept.id, kept.source, kept.policy.name) == ("17", "forum", "monitor-only")
    assert found["policy_version"].iloc[0] == "monitor-only@1"
    assert not found["enforced"].iloc[0]
    assert found["stage"].iloc[0] == "full"


def test_a_column_that_is_not_there_is_an_error(shipped: Served, frame: pd.DataFrame) -> None:
    with Client(shipped.url, shipped.key) as client:
        for wrong in ({"text": "text"}, {"text": "body", "id": "no"}):
            with pytest.raises(KeyError):
                score_frame(client, frame, **wrong)  # type: ignore[arg-type]
