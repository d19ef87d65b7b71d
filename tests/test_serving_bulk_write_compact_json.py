"""JSON that Arrow puts together of what the JSON library wrote is what the library writes of the whole."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from prefilter.serving.bulk.write.compact_json import around, json_lists, number_texts, to_json
from prefilter.serving.bulk.write.outcome_columns import outcome_columns
from prefilter.serving.policy.columns import ScoreColumns, decide_columns
from prefilter.serving.policy.presets import load_preset

NUMBERS = np.array([0.0, 1.0, 1.5e-05, 1e-300, np.float32(0.1), 0.30000000000000004])


def test_numbers_are_written_as_in_a_whole_document() -> None:
    assert number_texts(NUMBERS) == [to_json(number) for number in NUMBERS.tolist()]
    assert number_texts(NUMBERS[:0]) == []
    with pytest.raises(ValueError, match="not JSON compliant"):
        number_texts(np.array([np.nan]))


@pytest.mark.parametrize("name", ["plain", 'quoted "', '""', "back\\slash", 'score":"', "ü\n"])
def test_an_object_is_parted_at_its_number(name: str) -> None:
    body = {"category": name, "score": 0.5, "band": [0.0, 0.5]}
    before, after = around(body, "score")
    assert before + "0.25" + after == to_json({**body, "score": 0.25})
    assert around({"reason": name}, "score") == (to_json({"reason": name}), "")


def test_lists_take_their_objects_in_order() -> None:
    objects = pa.array([to_json({"a": number}) for number in range(4)])
    assert json_lists(objects, [1, 0, 3]).to_pylist() == ['[{"a":0}]', "[]", '[{"a":1},{"a":2},{"a":3}]']


def test_no_rows_have_no_grounds() -> None:
    policy, none = load_preset("model-output"), np.array([], dtype=np.object_)
    decisions = decide_columns(ScoreColumns({}, none, none), policy)
    columns = outcome_columns(decisions.codes, decisions.grounds(), policy, decided=np.array([], dtype=np.bool_))
    assert {name: len(column) for name, column in columns.items()} == dict.fromkeys(columns, 0)
