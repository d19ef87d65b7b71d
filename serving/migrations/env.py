"""Runs migrations on the connection `Store.migrate` hands over, or on `alembic -x url=…` to write new ones.

It begins no transaction: all migrations of a start are one transaction of the caller, who also holds the
lock.
"""

from __future__ import annotations

from alembic import context

from prefilter.serving.store import Store
from prefilter.serving.store.tables import metadata


def _run() -> None:
    handed = context.config.attributes.get("connection")
    if handed is not None:
        context.configure(connection=handed, target_metadata=metadata)
        context.run_migrations()
        return
    with Store.open(context.get_x_argument(as_dictionary=True)["url"]).begin() as connection:
        context.configure(connection=connection, target_metadata=metadata)
        context.run_migrations()


_run()
