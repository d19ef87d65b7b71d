"""Launching the service: one server in this process, or a supervisor over several workers.

The only place that knows both, so that neither the server nor the supervisor knows who started it.
"""

from __future__ import annotations

from prefilter.serving.process.ready_line import print_ready
from prefilter.serving.process.server import serve
from prefilter.serving.process.supervisor import supervise
from prefilter.serving.settings import Settings


def launch(settings: Settings) -> None:
    """Run the service until it is stopped; prints the admin key on the first start, then one `ready` line.

    What keeps it from starting is raised: a setting, a model or a database that cannot be used.
    """
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    if settings.workers > 1:
        supervise(settings)
    else:
        serve(settings, announce=print_ready)
