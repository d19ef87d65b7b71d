"""A real Ray cluster of two nodes on this machine, as a program of its own, and what tests ask of it.

Apart from the tests, so that what Ray warns of, opens and leaves running is its own affair, and all of it
ends with the program. `python bulk_cluster.py` prints its address, loses its second node at the line `lose`,
and ends with its input.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STORE_BYTES = 80 * 2**20


class TwoNodes:
    """The cluster from outside: its address, and the end of its second node."""

    def __init__(self, program: subprocess.Popen[str], address: str) -> None:
        """Speak to `program`."""
        self._program = program
        self.address = address

    def lose_a_node(self) -> None:
        """Kill the second node's processes, as when a machine goes."""
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.write("lose\n")
        self._program.stdin.flush()
        assert self._program.stdout.readline() == "lost\n"


@contextmanager
def two_nodes() -> Iterator[TwoNodes]:
    """Run a cluster whose second node has more room than its first."""
    folder = tempfile.mkdtemp(prefix="ray")  # short, since paths of sockets are
    with (
        (Path(folder) / "stderr").open("wb") as noise,
        subprocess.Popen(
            [sys.executable, __file__, folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=noise,
            text=True,
            env=os.environ | {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONWARNINGS": "ignore"},
        ) as program,
    ):
        assert program.stdout is not None
        address = program.stdout.readline().strip()
        assert address, (Path(folder) / "stderr").read_text(encoding="utf-8")[-2000:]
        yield TwoNodes(program, address)
    shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Be the cluster."""
    from ray._common.utils import get_default_ray_temp_dir
    from ray.cluster_utils import Cluster

    # The cluster writes its address there, wherever its own folder is, and takes for granted that there is one.
    Path(get_default_ray_temp_dir()).mkdir(parents=True, exist_ok=True)
    shape = {"object_store_memory": STORE_BYTES, "temp_dir": sys.argv[1], "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, **shape})
    second = cluster.add_node(num_cpus=2, object_store_memory=STORE_BYTES)
    print(cluster.address, flush=True)  # noqa: T201
    for line in sys.stdin:
        if line == "lose\n":
            cluster.remove_node(second, allow_graceful=False)
            print("lost", flush=True)  # noqa: T201
    cluster.shutdown()


if __name__ == "__main__":
    main()
