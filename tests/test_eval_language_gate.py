"""The language gate's figures are counted as they are told."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fakes import CLEAN_TEXT, build_artefact
from prefilter.eval.language_gate import measure, page
from prefilter.models.text.windows import load_tokenizer

GERMAN = "Das ist ein gewoehnlicher deutscher Satz ueber das Wetter."


def test_rows_are_counted_by_source_and_by_language(tmp_path: Path) -> None:
    rows = {
        "en/plain": [(CLEAN_TEXT, "en")] * 3 + [(GERMAN, "en")],
        "ml/many": [(GERMAN, "de"), (CLEAN_TEXT, "en")],
    }
    for name, pairs in rows.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        table = pa.table({"text": [t for t, _ in pairs], "lang": [g for _, g in pairs]})
        pq.write_table(table, tmp_path / f"{name}.parquet")
    tokenizer = load_tokenizer(build_artefact(tmp_path / "model") / "tokenizer.json")
    tallies = measure(tmp_path, tokenizer, rows=10)
    assert (tallies["en"]["plain"].rows, tallies["en"]["plain"].share) == (4, 0.25)
    assert (list(tallies["ml"]), tallies["ml"]["de"].share) == (["de"], 1.0)
    assert "| plain | 4 | 25.0% | 1 | 0 | 0 |" in page(tallies, command="this test")
