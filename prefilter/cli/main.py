"""The command `prefilter`: it names the commands, and turns whatever goes wrong into one line and an exit
code.

Each command imports what it needs when it runs, so that `--help` is there at once and a command whose extra
is not installed says which one it is. Exit codes: 0 done, 1 failed, 2 asked for something that cannot be,
130 interrupted. An error line names files, fields and rows, never what they hold.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from prefilter.cli import (
    audit_commands,
    bench_commands,
    erasure_commands,
    evaluation_commands,
    file_commands,
    key_commands,
    migration_command,
    model_commands,
    policy_commands,
    recipe_commands,
    serve_command,
)
from prefilter.cli.complaints import complain

app = typer.Typer(
    name="prefilter",
    help="Scores text for harm, decides by policy, and sends only borderline items to people.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for commands in (
    serve_command,
    file_commands,
    recipe_commands,
    evaluation_commands,
    migration_command,
    erasure_commands,
):
    commands.add_to(app)
app.add_typer(audit_commands.app, name="audit")
app.add_typer(bench_commands.app, name="bench")
app.add_typer(file_commands.cases, name="cases")
app.add_typer(key_commands.app, name="key")
app.add_typer(model_commands.app, name="model")
app.add_typer(policy_commands.app, name="policy")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        app(args=None if arguments is None else list(arguments))
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        print(
            "prefilter: interrupted; a scoring run goes on when the same command is run again",
            file=sys.stderr,
        )
        return 130
    except Exception as error:
        return complain(error)
    return 0
