"""Loading: the model of the settings, with the repeats that this machine's processes share.

The secret of the repeats is made once and kept beside their file: who reads one may read the other. Knows the
models' registry and scorer and nothing of HTTP or the database, so that it runs while those are still being imported.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import NamedTuple

from prefilter.models import manifest as manifests
from prefilter.models.registry import resolve
from prefilter.models.repeats.repeats import Repeats, RepeatsError
from prefilter.models.scorer import Scorer
from prefilter.serving.settings import MEBIBYTE, Settings, SettingsError

REPEATS, SECRET = "repeats.bin", "repeats.key"
SECRET_BYTES = 32


class Loaded(NamedTuple):
    """A scorer that has passed its self-test, and where its answers are kept (None: nowhere)."""

    scorer: Scorer
    repeats: Repeats | None


def load(settings: Settings) -> Loaded:
    """Load the model and test it; raises as `Scorer.load` does, SettingsError where repeats cannot be kept."""
    repeats = open_repeats(settings)
    scorer = Scorer.load(
        settings.model,
        threads=settings.engine_threads,
        max_chars=settings.max_text_chars,
        repeats=repeats,
    )
    scorer.self_test()
    return Loaded(scorer, repeats)


def open_repeats(settings: Settings) -> Repeats | None:
    """Open the answers given before; None where the settings keep none."""
    if not settings.repeats_mb:
        return None
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        return Repeats.open(
            settings.home / REPEATS,
            secret=_secret(settings.home / SECRET),
            max_bytes=settings.repeats_mb * MEBIBYTE,
            manifest=manifests.load(resolve(settings.model)),
        )
    except (RepeatsError, OSError) as fault:
        reason = str(fault) if isinstance(fault, RepeatsError) else type(fault).__name__
        message = f"PREFILTER_REPEATS_MB: the answers given before cannot be kept: {reason}"
        raise SettingsError(message, field="PREFILTER_REPEATS_MB") from None


def _secret(path: Path) -> bytes:
    """Read the secret, made by whoever comes first: written apart and linked in whole."""
    with contextlib.suppress(FileNotFoundError):
        return path.read_bytes()
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(handle, secrets.token_bytes(SECRET_BYTES))
        os.fsync(handle)
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)
    finally:
        os.close(handle)
        fresh.unlink()
    return path.read_bytes()
