"""How the command line says that something failed: one line on stderr, and the exit code.

Only errors of this house speak for themselves. Of any other error the line tells the kind and the place in
the code, since its message could repeat an item's text.
"""

from __future__ import annotations

import sys
import traceback

FAILED, WRONG_USE = 1, 2
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
    message, code = _explain(error)
    print(f"prefilter: {message}", file=sys.stderr)
    return code


def refuse(message: str) -> SystemExit:
    """Print why a command is not carried out; raise what is returned (exit code 2)."""
    print(f"prefilter: {message}", file=sys.stderr)
    return SystemExit(WRONG_USE)


def _explain(error: Exception) -> tuple[str, int]:
    from prefilter.models.manifest import ManifestError
    from prefilter.models.registry import RegistryError
    from prefilter.serving.bulk.bulk_errors import WrongRequest
    from prefilter.serving.errors import PrefilterError
    from prefilter.serving.policy.policy import PolicyError

    if isinstance(error, PrefilterError):
        return error.message, WRONG_USE if isinstance(error, WrongRequest) else FAILED
    if isinstance(error, RegistryError | PolicyError):
        return str(error.args[0]), WRONG_USE
    if isinstance(error, ManifestError):
        return str(error), FAILED
    if isinstance(error, ModuleNotFoundError) and error.name is not None:
        package = error.name.partition(".")[0]
        if package in EXTRAS:
            extra = EXTRAS[package]
            return f"{package} is not installed: pip install 'harm-prefilter[{extra}]'", FAILED
        return f"module {error.name} is not installed", FAILED
    if type(error).__name__ in OWN_WORDS:
        return str(error), FAILED
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror, FAILED
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"internal fault: {type(error).__name__} at {place.filename}:{place.lineno}", FAILED


OWN_WORDS = frozenset(
    {
        "ScorerError",
        "RecipeError",
        "SourceError",
        "EncoderError",
        "ExportRefused",
        "SuiteError",
        "EvaluateError",
        "GateError",
        "GaugeError",
    }
)
"""Errors of rooms that are not always installed, told by name; their messages hold no item text."""
