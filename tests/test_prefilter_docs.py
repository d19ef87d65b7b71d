"""docs/cli.md names every command and every option that there is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from prefilter.cli.main import app

PAGE = (Path(__file__).parent.parent / "docs" / "cli.md").read_text(encoding="utf-8")


def commands(group: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every command with its full name."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path}{name} ")
        else:
            yield f"{path}{name}", command


@pytest.mark.parametrize(("name", "command"), list(commands(get_command(app))))
def test_every_command_and_option_is_on_the_page(name: str, command: Any) -> None:
    group, _, last = name.rpartition(" ")
    assert f"prefilter {name}" in PAGE or (f"prefilter {group} " in PAGE and f"|{last}" in PAGE)
    for option in (opt for parameter in command.params if not parameter.hidden for opt in parameter.opts):
        assert option in ("--help",) or not option.startswith("--") or option in PAGE, option
