"""Everything an operator may set, as one frozen object read once from `PREFILTER_*`.

A setting is one field: its name gives the variable, its type says how the variable is read and what it must at
least be. A value that cannot be read stops the start with the name of the variable: a safety gate that silently
runs on a default is worse than one that does not start. Knows no other room.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, NamedTuple, get_args, get_type_hints

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


class AtLeast(NamedTuple):
    """The bound of a number."""

    least: int


Positive = Annotated[int, AtLeast(1)]
NotNegative = Annotated[int, AtLeast(0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How this server runs. Units are in the names; every field is `PREFILTER_<NAME>` in the environment."""

    host: str = "127.0.0.1"
    port: int = 8080
    home: Path = field(default_factory=lambda: Path("var"))
    database_url: str = ""
    model: str | None = None
    policy: str = "model-output"
    max_body_bytes: Positive = 32 * MEBIBYTE
    max_items: Positive = 1_000
    max_text_chars: Positive = 1_000_000
    max_id_chars: Positive = 256
    deadline_ms: Positive = 120_000
    workers: Positive = 1
    engine_threads: NotNegative = 0
    max_queued_tokens: NotNegative = 0
    max_waiting: Positive = 256
    max_waiting_bytes: Positive = 128 * MEBIBYTE
    max_streams: Positive = 64
    max_stream_chars: Positive = 100_000
    stream_idle_s: Positive = 120
    exact: bool = False
    repeats_mb: NotNegative = 64
    lease_seconds: Positive = 600
    retention_days: Positive = 30
    session_hours: Positive = 8
    environment: str = "development"
    cookie_secure: bool = False

    def __post_init__(self) -> None:
        """Fill in what depends on other fields (0 asks for that), and refuse what cannot work."""
        if not self.database_url:
            object.__setattr__(self, "database_url", f"sqlite:///{(self.home / 'prefilter.db').absolute()}")
        for name, kind in _kinds().items():
            for bound in get_args(kind)[1:]:
                if isinstance(bound, AtLeast) and getattr(self, name) < bound.least:
                    raise SettingsError(f"{_variable(name)} must be at least {bound.least}", field=_variable(name))
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
        for name, kind in _kinds().items():
            raw = source.get(_variable(name), "").strip()
            if not raw:
                continue
            try:
                values[name] = _READERS[kind](raw)
            except ValueError:
                raise SettingsError(f"{_variable(name)} cannot be read", field=_variable(name)) from None
        if "cookie_secure" not in values and values.get("environment") == "production":
            values["cookie_secure"] = True
        return cls(**values)  # type: ignore[arg-type]


def _kinds() -> dict[str, object]:
    return get_type_hints(Settings, include_extras=True)


def _variable(name: str) -> str:
    return f"PREFILTER_{name.upper()}"


def _truth(raw: str) -> bool:
    word = raw.lower()
    if word not in ("1", "true", "yes", "on", "0", "false", "no", "off"):
        raise ValueError
    return word in ("1", "true", "yes", "on")


_READERS: dict[object, Callable[[str], object]] = {
    str: str,
    str | None: str,
    int: int,
    Positive: int,
    NotNegative: int,
    Path: Path,
    bool: _truth,
}
