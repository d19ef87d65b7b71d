"""Every error of the project is a known one, and nothing else speaks on the command line."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from prefilter.cli.complaints import complain
from prefilter.models.known_error import FAILED, WRONG_USE, KnownError, WrongUse
from prefilter.models.registry import RegistryError
from prefilter.serving.bulk.bulk_errors import InputUnreadable, WrongRequest
from prefilter.serving.policy.policy import PolicyError

ROOT = Path(__file__).parent.parent
SIGNALS = {"Gone", "_StartFailed"}
"""Caught where they are raised: they stop a loop and reach nobody."""
CANARY = "canary text that no message may repeat"


def bases() -> dict[str, set[str]]:
    """Every exception class that the rooms define, with its bases."""
    found = {}
    for room in ("models", "classifier", "serving", "eval", "prefilter/cli"):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef):
                    found[node.name] = {base.id for base in node.bases if isinstance(base, ast.Name)}
    return found


def test_every_error_of_ours_has_the_one_root() -> None:
    found = bases()
    known = {"KnownError"}
    while more := {name for name, own in found.items() if own & known} - known:
        known |= more
    builtin = {"Exception", "ValueError", "RuntimeError", "LookupError", "KeyError", "OSError"}
    assert len(known) > 30
    assert {name for name, own in found.items() if own & builtin} - known == SIGNALS


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (WrongUse("x"), WRONG_USE),
        (WrongRequest("x"), WRONG_USE),
        (RegistryError("x"), WRONG_USE),
        (InputUnreadable("x"), FAILED),
        (KnownError("x"), FAILED),
    ],
)
def test_a_known_error_speaks_for_itself(error: KnownError, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert complain(error) == code
    assert capsys.readouterr().err == "prefilter: x\n"


def test_a_policy_error_names_its_field(capsys: pytest.CaptureFixture[str]) -> None:
    assert complain(PolicyError("is wrong", field="unreadable")) == WRONG_USE
    assert capsys.readouterr().err == "prefilter: unreadable: is wrong\n"


def test_of_any_other_error_only_its_kind_and_place_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match=CANARY) as caught:
        raise ValueError(CANARY)
    assert complain(caught.value) == FAILED
    said = capsys.readouterr().err
    assert said.startswith(f"prefilter: internal fault: ValueError at {__file__}:")
    assert CANARY not in said
