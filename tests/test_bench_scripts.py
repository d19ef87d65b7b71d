"""The scripts that time this project and other tools on the same texts: the protocol, the sums and the texts."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parent.parent / "bench"
sys.path.append(str(BENCH))

import rivals  # noqa: E402
from contestant import Contestant  # noqa: E402
from environment import listed  # noqa: E402

NOISY = f"""
import sys
sys.path.append({str(BENCH)!r})
from contestant import compete

def score(texts):
    print("a library that prints")

compete("noisy 1", {{"all": score}}, pieces=lambda texts: sum(len(text.split()) for text in texts))
"""


def turns(*seconds: float, pieces: int) -> list[dict]:
    return [{"seconds": second, "pieces": pieces} for second in seconds]


def test_a_contestant_answers_although_its_library_prints(tmp_path: Path) -> None:
    (tmp_path / "noisy.py").write_text(NOISY, encoding="utf-8")
    with Contestant(Path(sys.executable), tmp_path / "noisy.py", core=min(os.sched_getaffinity(0))) as noisy:
        assert (noisy.version, noisy.ways) == ("noisy 1", ["all"])
        answers = [noisy.ask("all", ["one two", "three"]), noisy.ask("all", ["four"])]
    assert [answer["pieces"] for answer in answers] == [3, 1]
    assert all(answer["seconds"] > 0 for answer in answers)


def test_a_ratio_says_how_many_times_faster_ours_was_on_the_same_texts() -> None:
    own = {"exact": turns(1.0, 3.0, pieces=400), "fast": turns(0.5, 0.5, pieces=400)}
    found = rivals._compared(turns(8.0, 12.0, pieces=200), own, 40)
    assert (found["docs_per_s"], found["docs_per_s_ours_exact"], found["docs_per_s_ours_fast"]) == (2.0, 10.0, 40.0)
    assert (found["ratio_exact"], found["ratio_fast"]) == (5.0, 20.0)
    assert found["ratio_exact_of_rounds"] == [8.0, 4.0]
    assert (found["tokens_per_s"], found["tokens_per_s_ours"], found["ratio_tokens"]) == (20.0, 200.0, 10.0)


def test_a_rival_without_word_pieces_has_no_ratio_of_them() -> None:
    found = rivals._compared(turns(1.0, pieces=0), {"exact": turns(2.0, pieces=100)}, 10)
    assert found["tokens_per_s"] is None
    assert "ratio_tokens" not in found


def test_without_data_the_texts_are_made_always_the_same_and_all_different(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFILTER_DATA_DIR", raising=False)
    texts, said = rivals._texts(2)
    assert rivals._texts(2)[0] == texts
    assert len(set(texts)) == len(texts)
    assert (said, {len(text) for text in texts}) == ("made texts of 450 characters", {450})


def test_every_rival_has_an_environment_and_a_script() -> None:
    assert listed().keys() == {*rivals.RIVALS, rivals.INFINITY}
    assert [script for _, script, _ in rivals.RIVALS.values() if not (BENCH / script).is_file()] == []
