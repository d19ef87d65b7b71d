"""The benchmarks measure real things and end in one document; the page says what the documents say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from fakes import CLEAN_TEXT, HARMFUL_TEXT, build_artefact
from fast_samples import add_fast_stage
from prefilter.cli.main import main
from prefilter.eval.bench import performance_page
from prefilter.eval.bench.mild_texts import text_of, text_of_pieces
from prefilter.eval.bench.replay import looks_of, refused_meanwhile, replay
from prefilter.eval.bench.timing import interleaved
from prefilter.models.scorer import Scorer
from prefilter.serving.policy.presets import load_preset

PERFORMANCE = Path(__file__).parent.parent / "docs" / "performance"


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    edges = load_preset("pretraining-corpus").edges_for(None)
    folder = add_fast_stage(build_artefact(tmp_path / "fake-1"), edges)
    monkeypatch.setenv("PREFILTER_MODEL", str(folder))
    return folder


def document(capsys: pytest.CaptureFixture[str], *words: str) -> dict:
    """Run `prefilter bench …` and read its last line."""
    assert main(["bench", *words]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {"machine", "model_version", "command", "date"} <= found.keys()
    return found


def test_scorer_measures_every_length_and_the_fast_stage(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "scorer", "--json", "--rounds", "3")
    assert found["tokens_per_s_per_core"].keys() == {"32", "128", "512"}
    assert found["pieces"]["32"] <= 30
    assert found["pieces"]["128"] <= 126
    assert found["fast_cleared_of_these"] == 1.0
    assert found["fast_docs_per_s"] >= found["fast_answers_per_s"] > found["exact_docs_per_s_450_chars"] > 0
    assert found["ms_p50"] >= found["ms_p50_network_alone"] > 0


def test_the_profile_says_where_the_time_goes(capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "scorer", "--rounds", "3", "--profile")["profile"]
    assert 0.9 < sum(found["share_of_time"].values()) <= 1.0
    assert "DynamicQuantizeMatMul" in found["share_of_time"]
    assert 0 < found["share_of_peak"] < 1
    assert found["gmac_per_s"] == pytest.approx(found["gmac_per_row"] / found["row_ms"] * 1e3, rel=0.01)


def test_http_asks_a_real_server(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "http", "--json", "--seconds", "0.5", "--overload", "1", "--workers", "1")
    assert found["ratio"] == pytest.approx(found["batch_texts_per_s"] / found["in_process_texts_per_s"], rel=0.01)
    assert found["single_ms_p99"] >= found["single_ms_p50"] > 0
    assert found["overload"]["accepted_without_scores"] == 0
    assert found["overload"]["refused_without_retry_after"] == 0
    assert set(found["overload"]["statuses"]) <= {"200", "429"}
    assert found["workers"]["1"]["texts_per_s"] > 0
    assert found["resident_mb"][0] > 10
    assert found["ready_s"].keys() == {"first", "later_p50"}


def test_streamed_sends_answers_at_the_pace_of_a_model(
    model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PREFILTER_DATA_DIR", raising=False)
    found = document(capsys, "streamed", "--json", "--answers", "1", "--chars", "120", "--streams", "2")
    assert found["bounds"].keys() == {"0", "100", "200", "400", "800"}
    # Thirty tokens at fifty a second: under no bound nothing comes before the answer has ended.
    assert found["bounds"]["0"]["first_release_ms"]["p50"] > 500 > found["bounds"]["800"]["first_release_ms"]["p50"]
    assert found["streams"]["2"]["answers"] == 2
    assert "replayed" not in found


def test_a_replay_lets_out_no_more_than_its_bound(model: Path) -> None:
    scorer, policy = Scorer.load(model), load_preset("model-output")
    texts = [f"{CLEAN_TEXT} " * 12, f"{CLEAN_TEXT} " * 12 + HARMFUL_TEXT + f" {CLEAN_TEXT}" * 12]
    looks = [looks_of(text, scorer, policy) for text in texts]
    assert refused_meanwhile(looks) == {"answers": 2, "allowed_whole": 1, "refused_at_some_moment": 0}
    tight, loose = (replay(texts, looks, bound) for bound in (0, 800))
    assert (tight["cut"], tight["unsafe_chars"]["max"], tight["cut_though_allowed_whole"]) == (1, 0, 0)
    assert loose["unsafe_chars"]["max"] > 0
    assert loose["held_chars"]["p50"] < tight["held_chars"]["p50"]
    assert loose["first_release_after_chars"]["p50"] < tight["first_release_after_chars"]["p50"]


def test_bulk_runs_the_command_line(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "bulk", "--json", "--rows", "40", "--stored", "3000")
    one, two = found["rows_per_s"]["1"], found["rows_per_s"]["2"]
    assert found["efficiency"] == pytest.approx(two / (2 * one), rel=0.02)
    assert found["decide"]["rows"] == 3000
    assert found["decide"]["seconds"] > 0


def test_stream_without_data_says_what_it_needs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("PREFILTER_DATA_DIR", raising=False)
    assert main(["bench", "stream"]) == 2
    assert "PREFILTER_DATA_DIR" in capsys.readouterr().err


def test_texts_have_the_length_that_was_asked_and_differ() -> None:
    assert [len(text_of(chars, 3)) for chars in (20, 97, 450, 5_000)] == [20, 97, 450, 5_000]
    assert len({text_of(450, number) for number in range(100)}) == 100
    assert text_of(450, 7) == text_of(450, 7)
    assert len(text_of_pieces(60, lambda text: len(text.split())).split()) == 60


def test_what_is_compared_takes_turns() -> None:
    order: list[str] = []
    taken = interleaved({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, rounds=3)
    assert "".join(order) == "ab" * 4
    assert taken["a"].low <= taken["a"].median <= taken["a"].high <= taken["a"].p99


def test_the_page_says_what_the_documents_say() -> None:
    documents = performance_page.load(PERFORMANCE)
    written = (PERFORMANCE.parent / "performance.md").read_text(encoding="utf-8")
    price = float(re.search(r"cost at ([\d.]+) a core-hour", written)[1])  # type: ignore[index]
    assert performance_page.render(PERFORMANCE, documents, price=price, place=PERFORMANCE.name) == written
    assert "<!-- " not in written
    assert not re.search(r"\]\((?!http)([^)#]+)\)", written) or all(
        (PERFORMANCE.parent / target).exists() for target in re.findall(r"\]\((?!http)([^)#]+)\)", written)
    )


def test_a_target_that_is_missed_says_so(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("<!-- targets -->", encoding="utf-8")
    documents = {"scorer": {"ms_p50": 7.0}, "http": {"single_ms_p50": 5.0, "in_process_single_ms_p50": 4.0}}
    said = performance_page.render(tmp_path, documents, price=1.0, place="p")
    assert "| one text of 97 characters in process, p50, ms | ≤ 6 | 7 | **no** |" in said
    assert "| single text over loopback above in process, p50, ms | ≤ 2 | 1 | yes |" in said
    assert "not measured" in said


def test_the_tables_of_rivals_and_workers_divide_what_was_measured(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("<!-- rivals -->\n<!-- scaling -->", encoding="utf-8")
    rival = {"version": "1", "docs_per_s": 2.0, "tokens_per_s": 400.0, "ratio_exact": 12.0, "ratio_tokens": 15.0}
    documents = {
        "rivals": {"rivals": {"slow": rival, "linear": {"version": "2", "docs_per_s": 7000.0, "ratio_stage": 1.5}}},
        "bulk": {"rows_per_s": {"1": 100.0, "2": 190.0}},
        "http": {"workers": {"2": {"texts_per_s": 100.0}}},
    }
    said = performance_page.render(tmp_path, documents, price=1.0, place="p")
    assert "| slow | 1 | 2 | 400 | 12 | 15 |  |  |" in said
    assert "| linear | 2 | 7,000 |  |  |  |  | 1.50 |" in said
    assert "| `prefilter score`, exact | 2 | 190 | 0.95 |" in said
    assert "serve" not in said  # nothing to set two workers beside


def test_the_roofline_says_what_share_of_the_best_product_is_reached(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("<!-- roofline -->", encoding="utf-8")
    profile = {
        "row_ms": 15.0,
        "gmac_per_row": 1.5,
        "gmac_per_s": 100.0,
        "tokens_per_s_at_peak": 17_000,
        "int8_peak_gmac_per_s": {"128x384x384": 150.0, "1024x1024x1024": 200.0},
        "share_of_time": {"DynamicQuantizeMatMul": 0.5, "QAttention": 0.3, "BiasGelu": 0.2},
    }
    said = performance_page.render(tmp_path, {"scorer": {"profile": profile}}, price=1.0, place="p")
    assert "| a row of 128 through the network | 100 | 50.0% |" in said
    assert "20.0% of the time goes to operations that hold no int8 product" in said
