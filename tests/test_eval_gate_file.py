"""The gates file: the shipped one covers what was promised, and none with a key that nobody reads is taken."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from prefilter.eval.gate.gate_file import GATES_FILE, GateError, GateFile
from prefilter.eval.gate.metric_gate import match

GOOD = '[[gate]]\nname = "g"\nmetrics = ["manifest.int8.flips"]\nbetter = "lower"\nmost = 0.1\n'

BENIGN = ("benign_medquad", "benign_counsel_chat", "safecity", "benign_wikitext103_valtest")
UNSEEN = (
    "beavertails_30k_test",
    "safe_rlhf_test2k",
    "rtp_lx_en_prompts",
    "medsafetybench",
    "wiki_toxicity_fuzzed_test",
    "hatecheck",
)
PROMISED = [
    *(f"suites.hatecheck.hatecheck.hate.{part}.accuracy" for part in ("all", "hateful", "non_hateful")),
    "suites.hatecheck.hatecheck.hate.functionalities.slur_h.accuracy",
    *(f"suites.bias_madlibs_77k.bias.any.terms.old.{kind}" for kind in ("bpsn", "bnsp")),
    *(f"suites.{name}.operating.model-output.block" for name in BENIGN),
    *(f"suites.{name}.any.{m}" for name in UNSEEN for m in ("auprc", "recall_at_1pct_fpr")),
    *(f"manifest.leave_one_source_out.mean.{m}" for m in ("auprc", "recall_at_1pct_fpr")),
    "manifest.calibration_error.hate",
    "manifest.int8.flips",
    "manifest.int8.auprc_loss",
    "suites.semeval2021_toxic_spans.spans.f1",
]


def written(tmp_path: Path, text: str) -> Path:
    """A gates file with this text."""
    path = tmp_path / "own.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("path", PROMISED)
def test_the_shipped_gates_hold_every_promised_metric(path: str) -> None:
    raw = tomllib.loads(GATES_FILE.read_text(encoding="utf-8"))
    gates = [g for g in raw["gate"] if any(match(metric, path) is not None for metric in g["metrics"])]
    assert gates
    assert any("least" in g or "most" in g or "bounds" in g for g in gates)


def test_the_shipped_gates_name_a_bound_for_every_functionality() -> None:
    gate = next(g for g in GateFile.load().gates if g.name == "HateCheck functionality")
    assert len(gate.bounds) == 29
    assert all(name.endswith(("_h", "_nh")) and 0 < bound < 1 for name, bound in gate.bounds.items())


def test_the_shipped_gates_use_the_rows_of_the_plan() -> None:
    entries = {entry.target: entry for entry in GateFile.load().entries}
    assert entries.keys() >= {*BENIGN, *UNSEEN}
    assert {entries[name].split for name in BENIGN} == {"test"}


def test_a_suite_of_ones_own_lies_beside_the_file(tmp_path: Path) -> None:
    gate = '[[gate]]\nname = "g"\nmetrics = ["suites.ours.any.auprc"]\nbetter = "higher"\nregress = true\n'
    suite = '[[suite]]\npath = "sets/ours.parquet"\nsplit = "test"\nmax_rows = 5\n'
    (entry,) = GateFile.load(written(tmp_path, gate + suite)).entries
    assert (entry.target, entry.split, entry.max_rows) == (str(tmp_path / "sets/ours.parquet"), "test", 5)
    with pytest.raises(GateError, match="suite 'ours' is neither"):
        GateFile.load(written(tmp_path, gate))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", r"has no \[\[gate\]\]"),
        ("gate = 1", r"gate is written \[\[gate\]\]"),
        ("[[gate", "not TOML"),
        (GOOD + GOOD, "is there twice"),
        (GOOD + "lest = 0.1", "unknown key 'lest'"),
        ("least = 1\n" + GOOD, "unknown key 'least'"),
        (GOOD + "least = 0.1", "least or most, not both"),
        (GOOD + "mean = 1", "mean is true or false"),
        (GOOD + "enough = 0.1", "go with regress"),
        (GOOD + "regress = true\nmargin = -1", "margin is not negative"),
        (GOOD.replace("0.1", '"0.1"'), "most is a number"),
        (GOOD.replace("0.1", "nan"), "most is a number"),
        (GOOD.replace('"lower"', '"higher"'), "least goes with better = higher"),
        (GOOD.replace('better = "lower"\n', ""), "better is higher or lower"),
        (GOOD.replace("most = 0.1", ""), "bounds nothing"),
        (GOOD.replace('name = "g"', ""), "a gate has no name"),
        (GOOD.replace("manifest.int8", "metrics.int8"), "paths that begin with suites or manifest"),
        (GOOD + "[gate.bounds]\nx = 1", "what stands for the one"),
        (GOOD + '[[suite]]\npath = "a.csv"', "ends in .parquet"),
        (GOOD + '[[suite]]\npath = "a.b.parquet"', "no dots"),
        (GOOD + '[[suite]]\npath = "a.parquet"\nrole = "x"', "role is one of"),
        (GOOD + '[[suite]]\npath = "a.parquet"\nmax_rows = 0', "max_rows is a positive number"),
    ],
)
def test_a_gates_file_that_says_something_wrong_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(GateError, match=complaint):
        GateFile.load(written(tmp_path, text))


def test_a_gates_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(GateError, match=r"none\.toml: No such file"):
        GateFile.load(tmp_path / "none.toml")
