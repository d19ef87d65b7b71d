"""Metrics of the running service, for Prometheus, and its access log.

Labels hold only words this project chose (route templates, methods, statuses, outcomes), so their number is bounded
whatever callers send; no item text gets here. Where several worker processes serve one port, each counts in files of a
folder they share (`PROMETHEUS_MULTIPROC_DIR`, which their supervisor sets), and any of them reports for all, those that
ended included: a counter never goes back. Knows no web framework.
"""

from __future__ import annotations

import logging
import os
import threading
import traceback
from collections import Counter as Tally
from collections.abc import Callable, Iterable
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from prefilter.models.scored import FAST, FULL
from prefilter.serving.settings import SHARED_METRICS

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "WEBSOCKET"})
STREAM_ENDS = ("done", "cut", "broken", "gone")
UNMATCHED = "unmatched"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

access = logging.getLogger("prefilter.access")


class LookupCounts(Protocol):
    """What counts its look-ups of the answers given before."""

    hits: int
    misses: int


class Telemetry:
    """The metrics of one application, in a registry of its own."""

    def __init__(self) -> None:
        """Make every metric, so that each is zero at the first scrape."""
        self.registry = CollectorRegistry()
        self.requests = self._counter("prefilter_requests_total", "Requests answered.", "method", "route", "status")
        self.seconds = Histogram(
            "prefilter_request_seconds",
            "Time from the first byte of a request to the last of its answer.",
            ("route",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.items = self._counter("prefilter_items_total", "Items answered, by outcome or error.", "outcome")
        self.unscored = self._counter("prefilter_unscored_items_total", "Valid items that got no scores.", "reason")
        self.stages = self._counter(
            "prefilter_scored_items_total", "Items that got scores, by the stage that gave them.", "stage"
        )
        self.repeats = self._counter("prefilter_repeats_total", "Look-ups of answers given before.", "result")
        self.tokens = self._counter("prefilter_tokens_total", "Word pieces scored.")
        self.cases = self._counter("prefilter_cases_total", "Cases opened by screening.")
        self.streams = self._counter(
            "prefilter_streams_total",
            "Streams that ended: whole, cut, broken by an error, or left by their client.",
            "end",
        )
        self._queue = Gauge(
            "prefilter_queue_tokens",
            "Tokens waiting or under way.",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self._ready = Gauge(
            "prefilter_ready_state",
            "1 while scoring is accepted, by every worker.",
            registry=self.registry,
            multiprocess_mode="livemin",
        )
        for outcome in ("allow", "review", "block", "error"):
            self.items.labels(outcome)
        for stage in (FAST, FULL):
            self.stages.labels(stage)
        for result in ("hit", "miss"):
            self.repeats.labels(result)
        for end in STREAM_ENDS:
            self.streams.labels(end)
        self._ready.set(0)
        self._queued_tokens: Callable[[], float] = lambda: 0.0
        self._is_ready: Callable[[], bool] = lambda: False
        self._looked: LookupCounts | None = None
        self._seen = (0, 0)
        self._observing = threading.Lock()

    def watch(
        self, *, queued_tokens: Callable[[], float], ready: Callable[[], bool], repeats: LookupCounts | None = None
    ) -> None:
        """Show the engine's queue, its readiness and the look-ups: as they are at a scrape of this process,
        as they were at its last answer in a scrape of another one."""
        self._queued_tokens, self._is_ready, self._looked = queued_tokens, ready, repeats
        self._observe()

    def screened(self, *, outcomes: Iterable[str], stages: Iterable[str], unscored: Iterable[str]) -> None:
        """Count the rows of one answer: by outcome or `error`, by stage, and the reasons for no scores."""
        for counter, labels in ((self.items, outcomes), (self.stages, stages), (self.unscored, unscored)):
            for label, count in Tally(labels).items():
                counter.labels(label).inc(count)

    def answered(self, *, method: str, route: str, status: int, seconds: float, request_id: str) -> None:
        """Count one request and write its line of the access log: the route's template, never the path."""
        method = method if method in METHODS else "OTHER"
        self.requests.labels(method, route, str(status)).inc()
        self.seconds.labels(route).observe(seconds)
        self._observe()
        access.info("%s %s %d %.1fms %s", method, route, status, seconds * 1_000, request_id)

    def render(self) -> bytes:
        """Return the metrics in Prometheus' text format, those of all workers together."""
        self._observe()
        if not os.environ.get(SHARED_METRICS):
            return generate_latest(self.registry)
        shared = CollectorRegistry()
        MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
        return generate_latest(shared)

    def _counter(self, name: str, told: str, *labels: str) -> Counter:
        return Counter(name, told, labels, registry=self.registry)

    def _observe(self) -> None:
        self._queue.set(self._queued_tokens())
        self._ready.set(float(self._is_ready()))
        if self._looked is None:
            return
        with self._observing:
            now = self._looked.hits, self._looked.misses
            for result, count, before in zip(("hit", "miss"), now, self._seen, strict=True):
                if count > before:
                    self.repeats.labels(result).inc(count - before)
            self._seen = now


def where(fault: BaseException) -> str:
    """Return the kind of an exception and the lines it passed, without its message, which may quote text."""
    frames = traceback.extract_tb(fault.__traceback__)[-6:]
    path = " < ".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in reversed(frames))
    return f"{type(fault).__name__} at {path}"
