"""A Ray of the benchmark's own: on loopback, with one small deployment per batcher."""

import asyncio
import logging
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psutil

from app.bench.batching_load import Figures, Load, Name, SleepingEngine, drive
from app.client.server import ray_environment

APPLICATION = "bench-batching"


class Driver:
    """A deployment that puts load on one batcher from inside its replica.

    From inside: the calls need no second process then, which would take turns with the others on
    few cores, and they arrive when they are due.

    Args:
        name: of the batcher.
    """

    def __init__(self, name: Name) -> None:
        self._name = name

    async def measure(self, loads: Sequence[Load]) -> list[Figures]:
        """Return the figures of each load; they run side by side, each on its own engine."""
        return await asyncio.gather(*(self._measure(load) for load in loads))

    async def _measure(self, load: Load) -> Figures:
        from app.bench.batching_candidates import candidate

        engine = SleepingEngine(load)
        return await drive(candidate(self._name, engine), engine, load)


@contextmanager
def drivers(names: Sequence[Name]) -> Iterator[dict[Name, Any]]:
    """Start Ray with one driver per batcher, yield their handles, and leave nothing behind."""
    folder = tempfile.mkdtemp(prefix="dh-")
    before = set(psutil.Process().children(recursive=True))
    os.environ.update(ray_environment(secrets.token_hex(32)))
    # Imported late: Ray reads these variables when it is imported.
    import ray
    from ray import serve

    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    try:
        ray.init(
            num_cpus=4,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            _temp_dir=folder,
            _node_ip_address="127.0.0.1",
        )
        serve.start(proxy_location="Disabled", logging_config={"log_level": "ERROR"})
        replica = serve.deployment(max_ongoing_requests=10, ray_actor_options={"num_cpus": 0.1})
        targets = [
            serve.RunTarget(replica(Driver).bind(name), f"{APPLICATION}-{name}", route_prefix=None)
            for name in names
        ]
        handles = dict(zip(names, serve.run_many(targets), strict=True))
        yield handles
    finally:
        ray.shutdown()  # Serve goes with it
        left = set(psutil.Process().children(recursive=True)) - before
        for process in left:
            process.kill()
        psutil.wait_procs(left, timeout=10)
        shutil.rmtree(folder, ignore_errors=True)
