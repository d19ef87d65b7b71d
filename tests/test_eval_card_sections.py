"""The model card: written from its data alone, complete, and equal to what stands in docs."""

from __future__ import annotations

import json
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from eval_samples import write_mixed, write_suite
from fakes import CLEAN_TEXT, build_artefact
from prefilter.eval.card.report_files import card, read_report, write_report
from prefilter.eval.card.sections import comparison_sections, failure_sections
from prefilter.eval.document import ResultsDocument, int8_cost
from prefilter.eval.evaluation import render
from prefilter.eval.judge.suite_judge import judge
from prefilter.eval.suites.suite_plan import Entry, Role
from prefilter.models.labels import CATEGORIES

DOCS = Path(__file__).parent.parent / "docs"
LEAVE_OUT = {
    "mean": {"auprc": 0.5, "recall_at_1pct_fpr": 0.1, "ci95": {"auprc": [0.4, 0.6]}},
    "categories": {"hate": {"auprc": 0.5, "recall_at_1pct_fpr": 0.1, "ci95": {}, "sources": 3}},
    "sources": {"here": {"hate": {"auprc": 0.5, "recall_at_1pct_fpr": 0.1, "auroc": 0.7, "n": 90, "positives": 9}}},
    "recipes": [{"name": "probe", "mean_auprc": 0.4, "any_auprc": 0.6}, {"name": "tuned", "mean_auprc": 0.5}],
    "groups": {"forums": ["here", "there"]},
    "command": "a command",
}


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> ResultsDocument:
    """A document of one suite of harm and one benign, by a model that says how it was made."""
    folder = tmp_path_factory.mktemp("card")
    calm = write_suite(folder, "calm", text=[f"{CLEAN_TEXT} {i}" for i in range(30)], unsafe=[0.0] * 30)
    entries = [Entry(str(write_mixed(folder)), Role.HARM), Entry(str(calm), Role.BENIGN)]
    document, _ = judge(entries, model=build_artefact(folder / "model"))
    row = {"n": 10, "positives": 4, "auroc": 0.9, "auprc": 0.8}
    metrics = {
        "development": {"hate": row},
        "development_fp32": {"hate": {**row, "auprc": 0.81}},
        "int8": {"flips": 0.01, "texts": 1000, "edges": [0.5, 0.9]},
        "calibration_error": {"hate": 0.01, "illicit": None},
        "human_positives": {"hate": 300, "illicit": 12},
        "training": {"recipe": "fake", "tokens": 2_000_000, "seconds": 1800.0, "device": "cpu", "threads": 2},
        "leave_one_source_out": LEAVE_OUT,
    }
    model = replace(document.model, metrics=metrics)
    return replace(document, model=model, int8=int8_cost(model.making))


@pytest.fixture(scope="module")
def text(document: ResultsDocument) -> str:
    """The card and the tables behind it."""
    return "\n".join(card(document, name="model").values())


def test_docs_model_md_is_what_its_data_says() -> None:
    pages = card(read_report(DOCS / "model.json"), name="model")
    assert {name: (DOCS / name).read_text(encoding="utf-8") for name in pages} == pages
    assert {f"model/{path.name}" for path in (DOCS / "model").iterdir()} == pages.keys() - {"model.md"}


def test_the_card_is_read_in_five_minutes_and_leads_to_every_table() -> None:
    text = (DOCS / "model.md").read_text(encoding="utf-8")
    assert len(re.findall(r"\w[\w.@-]*", text)) < 1_600
    linked = set(re.findall(r"\]\(([^)]+)\)", text))
    assert linked >= {f"model/{path.name}" for path in (DOCS / "model").iterdir()} | {"model.html", "model.json"}


def test_every_link_of_the_card_leads_somewhere() -> None:
    for page in (DOCS / "model.md", *(DOCS / "model").iterdir()):
        for link in re.findall(r"\]\(([^):]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).is_file(), f"{page.name}: {link}"


def test_the_data_and_the_page_stay_small() -> None:
    assert (DOCS / "model.json").stat().st_size < 900_000
    assert (DOCS / "model.html").stat().st_size < 1_200_000
    assert len((DOCS / "model.json").read_text(encoding="utf-8").splitlines()) < 200


def test_the_training_page_names_every_key_of_a_recipe() -> None:
    from prefilter.classifier.recipe import Recipe

    page = (DOCS / "training.md").read_text(encoding="utf-8")
    said = {"sources": "[sources.NAME]", "own": "[[own]]"}
    assert [f.name for f in fields(Recipe) if said.get(f.name, f"`{f.name}`") not in page] == []


def test_every_category_is_defined(text: str) -> None:
    assert all(f"| `{category}` | " in text for category in CATEGORIES)
    assert "(taxonomy.md)" in text
    assert "(training.md)" in text


def test_low_evidence_is_named_with_its_positives(text: str) -> None:
    assert "| `illicit` | 12 | " in text


def test_the_cost_of_int8_and_of_training_is_told(text: str) -> None:
    assert "| `hate` | 10 | 4 | 0.810 | 0.800 | +0.0100 |" in text
    assert "1.000 % (" in text
    assert "| Time | 0.50 hours |" in text
    assert "| none | open | " in text


def test_known_failures_are_found_by_rule(document: ResultsDocument) -> None:
    section = failure_sections.failures(document)
    assert section is not None
    assert [row[1] for row in section.tables[0].rows] == ["calm", "mixed"]


def test_sources_never_trained_on_compare_the_recipes(document: ResultsDocument) -> None:
    section = comparison_sections.held_out(document)
    assert section is not None
    assert section.tables[0].rows[0][:2] == ("mean of heads", "0.500 (0.400\N{EN DASH}0.600)")
    assert section.tables[1].header == ("recipe", "mean AUPRC", "any AUPRC")
    assert section.tables[1].rows[1] == ("tuned", "0.500", "\N{EN DASH}")


def test_a_card_is_written_again_from_its_data(tmp_path: Path, document: ResultsDocument) -> None:
    first = {p: p.read_text() for p in write_report(tmp_path / "card", document)}
    written = {path.relative_to(tmp_path).as_posix() for path in first}
    assert written >= {"card.md", "card/suites.md", "card.json", "card.html"}
    (tmp_path / "card.md").unlink()
    (tmp_path / "card" / "suites.md").unlink()
    assert render(tmp_path / "card.json") == 0
    assert {p: p.read_text() for p in first} == first
    assert json.loads(first[tmp_path / "card.json"])["suites"].keys() == document.suites.keys()


def test_what_is_no_data_of_a_report_is_named(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "odd.json").write_text("{}")
    assert render(tmp_path / "odd.json") == 2
    assert "odd.json: not the data of a report" in capsys.readouterr().err
