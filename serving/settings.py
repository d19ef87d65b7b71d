"""Everything an operator may set, as one frozen object read once from `PREFILTER_*`.

It knows no other room. A value that cannot be read stops the start with the name of the variable: a safety
gate that silently runs on a default is worse than one that does not start.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from prefilter.serving.errors import PrefilterError

MEBIBYTE = 1024 * 1024
QUEUED_TOKENS_PER_THREAD = 100_000
"""Some twelve seconds of work."""
SHARED_METRICS = "PROMETHEUS_MULTIPROC_DIR"
"""The variable by which the workers of one server learn the folder in which they count together."""
ENVIRONMENTS = ("development", "production")


class SettingsError(PrefilterError):
    """A setting cannot be used."""

    default_code = "bad_setting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How this server runs. Units are in the names; every field is `PREFILTER_<NAME>` in the environment."""

    host: str = "127.0.0.1"
    port: int = 8080
    home: Path = field(default_factory=lambda: Path("var"))
    database_url: str = ""
    model: str | None = None
    policy: str = "model-output"
    max_body_bytes: int = 32 * MEBIBYTE
    max_items: int = 1_000
    max_text_chars: int = 1_000_000
    max_id_chars: int = 256
    deadline_ms: int = 120_000
    workers: int = 1
    engine_threads: int = 0
    max_queued_tokens: int = 0
    max_waiting: int = 256
    max_waiting_bytes: int = 128 * MEBIBYTE
    max_streams: int = 64
    max_stream_chars: int = 100_000
    stream_idle_s: int = 120
    exact: bool = False
    repeats_mb: int = 64
    lease_seconds: int = 600
    retention_days: int = 30
    session_hours: int = 8
    environment: str = "development"
    cookie_secure: bool = False

    def __post_init__(self) -> None:
        """Fill in what depends on other fields (0 asks for that), and refuse what cannot work."""
        if not self.database_url:
            object.__setattr__(self, "database_url", f"sqlite:///{(self.home / 'prefilter.db').absolute()}")
        for name, least in {**dict.fromkeys(_AT_LEAST_ONE, 1), **dict.fromkeys(_AT_LEAST_ZERO, 0)}.items():
            if getattr(self, name) < least:
                raise SettingsError(f"{_variable(name)} must be at least {least}", field=_variable(name))
        if not self.engine_threads:
            object.__setattr__(self, "engine_threads", max(1, len(os.sched_getaffinity(0)) // self.workers))
        if not self.max_queued_tokens:
            object.__setattr__(self, "max_queued_tokens", QUEUED_TOKENS_PER_THREAD * self.engine_threads)
        if not 0 <= self.port <= 65_535:
            raise SettingsError("PREFILTER_PORT must lie in 0-65535", field="PREFILTER_PORT")
        if self.environment not in ENVIRONMENTS:
            raise SettingsError(
                "PREFILTER_ENVIRONMENT must be development or production", field="PREFILTER_ENVIRONMENT"
            )

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read `PREFILTER_*` from `environ` (default: the process environment); empty values count as absent.

        Raises SettingsError naming the variable that cannot be read.
        """
        source = os.environ if environ is None else environ
        values: dict[str, object] = {}
        for name, read in _READERS.items():
            raw = source.get(_variable(name), "").strip()
            if not raw:
                continue
            try:
                values[name] = read(raw)
            except ValueError:
                raise SettingsError(f"{_variable(name)} cannot be read", field=_variable(name)) from None
        if "cookie_secure" not in values and values.get("environment") == "production":
            values["cookie_secure"] = True
        return cls(**values)  # type: ignore[arg-type]


_AT_LEAST_ONE = (
    "max_body_bytes",
    "max_items",
    "max_text_chars",
    "max_id_chars",
    "deadline_ms",
    "workers",
    "max_waiting",
    "max_waiting_bytes",
    "max_streams",
    "max_stream_chars",
    "stream_idle_s",
    "lease_seconds",
    "retention_days",
    "session_hours",
)
_AT_LEAST_ZERO = ("engine_threads", "max_queued_tokens", "repeats_mb")


def _variable(name: str) -> str:
    return f"PREFILTER_{name.upper()}"


def _truth(raw: str) -> bool:
    word = raw.lower()
    if word not in ("1", "true", "yes", "on", "0", "false", "no", "off"):
        raise ValueError
    return word in ("1", "true", "yes", "on")


_READERS: dict[str, Callable[[str], object]] = {
    "host": str,
    "port": int,
    "home": Path,
    "database_url": str,
    "model": str,
    "policy": str,
    "max_body_bytes": int,
    "max_items": int,
    "max_text_chars": int,
    "max_id_chars": int,
    "deadline_ms": int,
    "workers": int,
    "engine_threads": int,
    "max_queued_tokens": int,
    "max_waiting": int,
    "max_waiting_bytes": int,
    "max_streams": int,
    "max_stream_chars": int,
    "stream_idle_s": int,
    "exact": _truth,
    "repeats_mb": int,
    "lease_seconds": int,
    "retention_days": int,
    "session_hours": int,
    "environment": str,
    "cookie_secure": _truth,
}
