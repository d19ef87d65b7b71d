"""State: what one application holds, as two frozen values that routes take their use cases from.

`Parts` is there from building on, `Running` between the start and the stop of the application. Reached through a
request, every call from a route into a use case is one that the type checker sees. Knows no web framework: of a
request it asks only which application it belongs to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from prefilter.serving.admission.permits import Permits
from prefilter.serving.auth import Auth
from prefilter.serving.engine.engine import Engine
from prefilter.serving.errors import NotReady
from prefilter.serving.policy.policy_book import PolicyBook
from prefilter.serving.screening.screening import Screening
from prefilter.serving.settings import Settings
from prefilter.serving.store import Store
from prefilter.serving.telemetry import Telemetry
from prefilter.serving.triage import Triage

if TYPE_CHECKING:  # it loads elsewhere while this is imported
    from prefilter.models.scorer import Scorer


@dataclass(frozen=True, slots=True)
class Parts:
    """What an application is built of; nothing of it needs a model."""

    settings: Settings
    telemetry: Telemetry
    store: Store
    auth: Auth
    triage: Triage
    policy_book: PolicyBook
    admission: Permits
    """The permits of scoring requests."""
    streams: Permits
    """The permits of streams."""


@dataclass(frozen=True, slots=True)
class Running:
    """What there is only once the model has loaded and the engine has started."""

    scorer: Scorer
    engine: Engine
    screening: Screening


class State(Protocol):
    """What the framework keeps for an application under these names."""

    parts: Parts
    running: Running | None
    admin_key: str | None
    """The key made on the very first start, until it has been shown."""


class Application(Protocol):
    """An application of the web framework, of which only its state is known here."""

    @property
    def state(self) -> State:
        """What it holds."""
        ...


class Connection(Protocol):
    """A request or a WebSocket, of which only its application is known here."""

    @property
    def app(self) -> Application:
        """The application that answers it."""
        ...


def state_of(app: Application) -> State:
    """Return the state of an application, typed."""
    return app.state


def parts_of(connection: Connection) -> Parts:
    """Return what the application that answers is built of."""
    return connection.app.state.parts


def running_of(connection: Connection) -> Running:
    """Return what runs in the application that answers; raises NotReady before it has started."""
    running = connection.app.state.running
    if running is None:
        raise NotReady("the service is starting", retry_after_s=1)
    return running
