"""Readers: one row per input row; what is broken is a row that says so, a file cut off an error."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from bulk_fakes import dump, write_lines
from prefilter.serving.bulk.bulk_errors import InputUnreadable, WrongRequest
from prefilter.serving.bulk.read.input_files import find_inputs, look_into
from prefilter.serving.bulk.read.input_rows import Columns, Row
from prefilter.serving.bulk.read.row_readers import count_rows, read_rows


def read(*paths: Path, skip: int = 0, columns: Columns = Columns()) -> list[Row]:  # noqa: B008
    return list(read_rows(find_inputs(paths), columns, skip=skip))


def codes(rows: list[Row]) -> list[str | None]:
    return [row.error.code if row.error else None for row in rows]


def test_ids_are_kept_and_missing_ones_are_the_row_number_over_all_inputs(tmp_path: Path) -> None:
    first = write_lines(tmp_path / "a.jsonl", {"id": "x", "text": "one"}, {"text": "two"})
    second = write_lines(tmp_path / "b.ndjson", {"id": 7, "text": "three"}, {"id": None, "text": "four"})
    rows = read(first, second)
    assert [(row.id, row.text) for row in rows] == [("x", "one"), ("1", "two"), ("7", "three"), ("3", "four")]


def test_blank_lines_are_skipped_and_do_not_count(tmp_path: Path) -> None:
    rows = read(write_lines(tmp_path / "a.jsonl", "", {"text": "one"}, "  ", {"text": "two"}, ""))
    assert [(row.id, row.text) for row in rows] == [("0", "one"), ("1", "two")]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"not json", "broken_line"),
        (b'{"text": "caf\xe9"}', "broken_line"),
        (b"[1]", "broken_line"),
        (b"[" * 100_000, "broken_line"),
        (b'{"text": "one", "text": "two"}', "broken_line"),
        (b'{"id": "x"}', "missing_text"),
        (b'{"text": null}', "missing_text"),
        (b'{"text": 5}', "not_a_string"),
        (b'{"text": "one", "id": [1]}', "bad_id"),
        (b'{"text": "one", "id": "\\ud800"}', "bad_id"),
        (b'{"text": "one", "language": 1}', "wrong_type"),
    ],
)
def test_a_broken_line_is_one_row_with_an_error_naming_the_line(
    tmp_path: Path, line: bytes, code: str
) -> None:
    rows = read(write_lines(tmp_path / "a.jsonl", {"text": "one"}, line, {"text": "two"}))
    assert codes(rows) == [None, code, None]
    assert rows[1].error is not None
    assert rows[1].error.message.startswith("a.jsonl line 2: ")


def test_an_error_keeps_the_id_where_there_is_one(tmp_path: Path) -> None:
    assert [row.id for row in read(write_lines(tmp_path / "a.jsonl", {"id": "x"}, {"id": True}))] == [
        "x",
        "1",
    ]


def test_a_context_is_read_only_where_its_column_is_named(tmp_path: Path) -> None:
    rows: list[Any] = ["why", None, " ", ["why"]]
    path = write_lines(tmp_path / "a.jsonl", *({"text": "one", "prompt": value} for value in rows))
    assert [row.context for row in read(path)] == [None] * 4
    named = read(path, columns=Columns(context="prompt"))
    assert [row.context for row in named] == ["why", None, None, None]
    assert codes(named) == [None, None, None, "context_not_a_string"]


def test_compressed_lines_read_like_plain_ones(tmp_path: Path) -> None:
    lines = b"".join(dump({"text": f"line {n}"}) + b"\n" for n in range(1000))
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(lines[:5000]) + gzip.compress(lines[5000:]))
    compress = zstandard.ZstdCompressor().compress
    (tmp_path / "b.jsonl.zst").write_bytes(compress(lines[:5000]) + compress(lines[5000:]))
    for name in ("a.jsonl.gz", "b.jsonl.zst"):
        assert [row.text for row in read(tmp_path / name)] == [f"line {n}" for n in range(1000)]


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst"])
def test_a_compressed_file_cut_off_is_an_error_naming_it(tmp_path: Path, name: str) -> None:
    lines = b"".join(dump({"text": f"line {n * 7919}"}) + b"\n" for n in range(5000))
    whole = gzip.compress(lines) if name.endswith("gz") else zstandard.ZstdCompressor().compress(lines)
    (tmp_path / name).write_bytes(whole[:-40])
    with pytest.raises(InputUnreadable, match=name):
        read(tmp_path / name)


def test_csv_reads_quoted_lines_a_mark_at_the_start_and_foreign_letters(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes('\ufeffid,text,source\r\n7,"a ""b""\r\nc",web\r\n,déjà,\r\n'.encode())
    assert [(row.id, row.text, row.source) for row in read(path)] == [
        ("7", 'a "b"\r\nc', "web"),
        ("1", "déjà", None),
    ]


def test_a_broken_csv_line_is_one_row_with_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b'id,text\n1,one\n2,two,three\n3\n4,caf\xe9\n5,"six" seven\n6,last\n')
    rows = read(path)
    assert codes(rows) == [None, "broken_line", "missing_text", "broken_line", "broken_line", None]
    assert rows[5].text == "last"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["3,three", '3,"three"', '3,"three\nand more"'])
def test_a_csv_quotation_that_does_not_close_costs_its_own_line_only(
    tmp_path: Path, last: str, end: str
) -> None:
    path = tmp_path / "a.csv"
    lines = ["id,text", "", '0,"two\nlines"', '1,"never closed', "2,plain", last, ""]
    path.write_bytes(end.join(lines).replace("\n", end).replace("\r\r", "\r").encode())
    rows = read(path)
    assert [(row.id, row.error and row.error.code) for row in rows] == [
        ("0", None), ("1", "broken_line"), ("2", None), ("3", None)
    ]  # fmt: skip
    assert rows[1].error is not None
    assert "a.csv line 5:" in rows[1].error.message
    assert [row.id for row in read(path, skip=2)] == ["2", "3"]
    assert count_rows(find_inputs([path])) == 4


def test_parquet_gives_the_same_rows_and_marks_what_is_not_utf8(tmp_path: Path) -> None:
    texts = pa.array([b"one", b"caf\xe9", None, "dé".encode()], pa.binary())
    table = pa.table({"text": texts, "id": pa.array([1, 2, 3, 4]), "other": pa.array([0.5] * 4)})
    pq.write_table(table, tmp_path / "a.parquet")
    rows = read(tmp_path / "a.parquet")
    assert codes(rows) == [None, "broken_line", "missing_text", None]
    assert (rows[3].text, rows[3].id) == ("dé", "4")


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet"])
@pytest.mark.parametrize("skip", [0, 1, 99, 100, 101, 299, 300])
def test_skipping_gives_the_rows_behind_with_their_own_numbers(tmp_path: Path, name: str, skip: int) -> None:
    texts = [f"text {n}" for n in range(300)]
    if name.endswith("jsonl"):
        write_lines(tmp_path / name, *({"text": text} for text in texts))
    elif name.endswith("csv"):
        (tmp_path / name).write_text("text\n" + "\n".join(texts) + "\n", encoding="utf-8")
    else:
        pq.write_table(pa.table({"text": texts}), tmp_path / name, row_group_size=100)
    assert [(row.id, row.text) for row in read(tmp_path / name, skip=skip)] == [
        (str(n), texts[n]) for n in range(skip, 300)
    ]


def test_counting_agrees_with_reading(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.jsonl", "", {"text": "one"}, b"\xff")
    (tmp_path / "b.csv").write_text('text\n"a\nb"\nc\n', encoding="utf-8")
    pq.write_table(pa.table({"text": ["x", None]}), tmp_path / "c.parquet")
    inputs = find_inputs(sorted(tmp_path.iterdir()))
    assert count_rows(inputs) == len(list(read_rows(inputs, Columns()))) == 6


def test_a_truncated_parquet_is_told_before_any_row_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["one"] * 1000}), path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputUnreadable, match=r"a\.parquet: truncated"):
        look_into(find_inputs([path])[0], Columns())


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_a_missing_column_is_told_with_file_and_name(tmp_path: Path, name: str) -> None:
    if name == "a.csv":
        (tmp_path / name).write_text("id,body\n1,one\n", encoding="utf-8")
    else:
        pq.write_table(pa.table({"body": ["one"]}), tmp_path / name)
    with pytest.raises(InputUnreadable, match=f"{name}: no column 'text'"):
        look_into(find_inputs([tmp_path / name])[0], Columns())
    look_into(find_inputs([tmp_path / name])[0], Columns(text="body"))


def test_a_column_of_numbers_is_no_text(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": [1.5]}), tmp_path / "a.parquet")
    with pytest.raises(InputUnreadable, match="'text' holds double, not text"):
        look_into(find_inputs([tmp_path / "a.parquet"])[0], Columns())


def test_globs_stand_for_their_files_in_order(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.jsonl"):
        write_lines(tmp_path / name, {"text": name})
    assert [source.path.name for source in find_inputs([tmp_path / "*.jsonl"])] == ["a.jsonl", "b.jsonl"]


@pytest.mark.parametrize("name", ["nothing.jsonl", "*.csv", "", "a.txt", "a.parquet.gz"])
def test_what_is_no_input_is_refused(tmp_path: Path, name: str) -> None:
    for there in ("a.txt", "a.parquet.gz"):
        (tmp_path / there).touch()
    with pytest.raises(WrongRequest, match=str(tmp_path)):
        find_inputs([tmp_path / name])


def test_a_column_that_is_not_needed_is_not_even_read(tmp_path: Path) -> None:
    path = tmp_path / "in.parquet"
    table = pa.table({"text": [f"text {n}" for n in range(900)], "pixels": [bytes(200)] * 900})
    pq.write_table(table, path, row_group_size=300, compression="none", use_dictionary=False)
    groups = pq.read_metadata(path)
    content = bytearray(path.read_bytes())
    for group in range(groups.num_row_groups):
        pixels = groups.row_group(group).column(1)
        start, size = pixels.data_page_offset, pixels.total_compressed_size
        content[start : start + size] = b"\xff" * size
    path.write_bytes(content)
    assert [row.text for row in read_rows(find_inputs([path]), Columns())] == table["text"].to_pylist()
    with pytest.raises(InputUnreadable):
        list(read_rows(find_inputs([path]), Columns(source="pixels")))
