"""What can go wrong with whole files. A broken row is no error here: it is a row of the output that says so.

    PrefilterError
    └── BulkError             the run stops; what was written stays
        ├── WrongRequest      the command asks for something that cannot be (exit code 2)
        ├── InputUnreadable   a file is truncated, or has no such column
        ├── RunDiffers        an unfinished run of another model, policy or input lies beside the output
        ├── OutputBusy        another run writes this output now
        └── WorkersLost       the scoring processes cannot run

Messages name files, columns and rows, never their content.
"""

from __future__ import annotations

from prefilter.models.known_error import WRONG_USE
from prefilter.serving.errors import PrefilterError


class BulkError(PrefilterError):
    """The run cannot go on."""

    default_code = "bulk_error"


class WrongRequest(BulkError):
    """The command asks for something that cannot be done."""

    default_code = "wrong_request"
    exit_code = WRONG_USE


class InputUnreadable(BulkError):
    """The input cannot be read."""

    default_code = "input_unreadable"


class RunDiffers(BulkError):
    """An unfinished run of something else lies beside the output."""

    default_code = "run_differs"


class OutputBusy(BulkError):
    """Another run writes this output now."""

    default_code = "output_busy"


class WorkersLost(BulkError):
    """The scoring processes cannot run."""

    default_code = "workers_lost"
