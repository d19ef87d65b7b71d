"""The database and the use cases over it, opened for one command: whoever can open it acts as `command line`.

Settings come from the environment, the same `PREFILTER_*` that the server reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from prefilter.serving.auth import COMMAND_LINE, Auth, Principal
from prefilter.serving.policy.policy_book import PolicyBook
from prefilter.serving.settings import Settings, SettingsError
from prefilter.serving.store import Store
from prefilter.serving.triage import Triage


@dataclass(frozen=True, slots=True)
class Workplace:
    """One open database and what can be done with it."""

    settings: Settings
    store: Store
    auth: Auth
    triage: Triage
    policies: PolicyBook
    operator: Principal = COMMAND_LINE


@contextmanager
def open_workplace() -> Iterator[Workplace]:
    """Open and migrate the database of the environment, shipped policies included; close it at the end."""
    settings = Settings.from_env()
    try:
        store = Store.open(settings.database_url)
    except ValueError as error:
        raise SettingsError(f"PREFILTER_DATABASE_URL: {error}", field="PREFILTER_DATABASE_URL") from None
    try:
        store.migrate()
        policies = PolicyBook(store, settings)
        policies.install_presets()
        yield Workplace(settings, store, Auth(store, settings), Triage(store, settings), policies)
    finally:
        store.dispose()
