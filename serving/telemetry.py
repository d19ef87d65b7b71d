"""Numbers about the running service, for Prometheus, and the log it writes.

Labels hold only words this project chose (route templates, methods, statuses, outcomes), so their number
is bounded whatever callers send; nothing here ever sees item text. This file knows no web framework.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNMATCHED = "unmatched"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

access = logging.getLogger("prefilter.access")


class Telemetry:
    """The metrics of one application, in a registry of its own."""

    def __init__(self) -> None:
        """Make every metric, so that each stands at zero from the first scrape on."""
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "prefilter_requests_total",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "prefilter_request_seconds",
            "Time from the first byte of a request to the last of its answer.",
            ("route",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.items = Counter(
            "prefilter_items_total",
            "Items answered, by outcome or error.",
            ("outcome",),
            registry=self.registry,
        )
        self.unscored = Counter(
            "prefilter_unscored_items_total",
            "Valid items that got no scores.",
            ("reason",),
            registry=self.registry,
        )
        self.tokens = Counter("prefilter_tokens_total", "Word pieces scored.", registry=self.registry)
        self.cases = Counter("prefilter_cases_total", "Cases opened by screening.", registry=self.registry)
        for outcome in ("allow", "review", "block", "error"):
            self.items.labels(outcome)

    def watch(self, *, queued_chars: Callable[[], float], ready: Callable[[], bool]) -> None:
        """Show the engine's queue and readiness as they are at each scrape."""
        queue = Gauge("prefilter_queue_chars", "Characters waiting or under way.", registry=self.registry)
        queue.set_function(queued_chars)
        state = Gauge("prefilter_ready_state", "1 while scoring is accepted.", registry=self.registry)
        state.set_function(lambda: float(ready()))

    def answered(self, *, method: str, route: str, status: int, seconds: float, request_id: str) -> None:
        """Count one request and write its line of the access log: the route's template, never the path."""
        method = method if method in METHODS else "OTHER"
        self.requests.labels(method, route, str(status)).inc()
        self.seconds.labels(route).observe(seconds)
        access.info("%s %s %d %.1fms %s", method, route, status, seconds * 1_000, request_id)

    def render(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        return generate_latest(self.registry)


def where(fault: BaseException) -> str:
    """Return the kind of an exception and the lines it passed, without its message, which may quote text."""
    frames = traceback.extract_tb(fault.__traceback__)[-6:]
    path = " < ".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in reversed(frames))
    return f"{type(fault).__name__} at {path}"
