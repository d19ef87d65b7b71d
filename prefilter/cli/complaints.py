"""How the command line says that something failed: one line on stderr, and the exit code.

Only known errors speak for themselves. Of any other error the line tells the kind and the place in the code, since
its message could repeat an item's text.
"""

from __future__ import annotations

import sys
import traceback

from prefilter.models.known_error import FAILED, KnownError

EXTRAS = {
    "torch": "train",
    "transformers": "train",
    "safetensors": "train",
    "onnx": "train",
    "sklearn": "train",
    "matplotlib": "eval",
    "ray": "bulk",
    "psycopg": "postgres",
}


def complain(error: Exception) -> int:
    """Print what went wrong and return the exit code."""
    print(f"prefilter: {_explain(error)}", file=sys.stderr)
    return error.exit_code if isinstance(error, KnownError) else FAILED


def _explain(error: Exception) -> str:
    if isinstance(error, KnownError):
        return str(error)
    if isinstance(error, ModuleNotFoundError) and error.name is not None:
        package = error.name.partition(".")[0]
        if package in EXTRAS:
            return f"{package} is not installed: pip install 'harm-prefilter[{EXTRAS[package]}]'"
        return f"module {error.name} is not installed"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"internal fault: {type(error).__name__} at {place.filename}:{place.lineno}"
