"""The worker groups of `kuberay/base` as Ray's fake nodes: Ray's own autoscaler, pretended GPUs."""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
import ray
from ray import serve
from ray._private.state import available_resources_per_node
from ray.serve.config import AutoscalingConfig
from ray.serve.handle import DeploymentHandle

from app.client.server import free_port
from tests.kuberay.rendered import ROOT, deployments, ray_cluster, workers

Handle = DeploymentHandle[Any]

HASTE = 60.0
"""Every delay of the manifests is divided by this: a minute lasts a second. Counts stay.

Serve looks back over three seconds instead of 30, and replicas report each second, not each ten:
shorter than that, a busy machine has nothing to look back on.
"""

HEAD = "f" * 51 + "00000"
STORE_BYTES = 100 * 2**20


class FakeCluster:
    """Ray's head and its autoscaler, which starts fake nodes as KubeRay would start pods.

    A context manager; inside, this process is a driver of the cluster. Processes and files are
    its own: Ray's `AutoscalingCluster` stops every Ray of the machine when it ends.
    """

    def __init__(self, environment: dict[str, str]) -> None:
        # Sockets lie in there, and their paths must stay below 108 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="fake-"))
        self._address = f"127.0.0.1:{free_port()}"
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._start()
            ray.init(address=self._address, log_to_driver=False)
            serve.start(proxy_location="Disabled")
        except BaseException:
            print((self.folder / "head.log").read_text(errors="replace")[-4000:])
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def nodes(self, used: bool = False) -> Counter[str]:
        """Return how many worker nodes live, by group; or how many of them hold replicas."""
        free = available_resources_per_node()  # type: ignore[no-untyped-call]
        living = (
            (node["Resources"], free.get(node["NodeID"], {}))
            for node in ray.nodes()  # type: ignore[no-untyped-call]
            if node["Alive"] and "CPU" in node["Resources"]
        )
        return Counter(
            "gpu" if "GPU" in all_of_it else "cpu"
            for all_of_it, left in living
            if not used or left.get("CPU", 0) < all_of_it["CPU"]
        )

    def _start(self) -> None:
        """Start the head and return once it takes drivers."""
        config = self.folder / "autoscaler.json"
        config.write_text(json.dumps(autoscaler_config(self._address)))
        command = [
            str(Path(sys.executable).with_name("ray")),
            *("start", "--head", "--block", "--num-cpus=0", "--num-gpus=0"),
            f"--port={self._address.partition(':')[2]}",
            f"--node-ip-address={self._address.partition(':')[0]}",
            f"--ray-client-server-port={free_port()}",
            f"--object-store-memory={STORE_BYTES}",
            "--include-dashboard=false",
            f"--temp-dir={self.folder}/ray",
            f"--autoscaling-config={config}",
        ]
        own = {
            "RAY_FAKE_CLUSTER": "1",
            "RAY_enable_autoscaler_v2": "1",
            "RAY_CLOUD_INSTANCE_ID": HEAD,
            "RAY_OVERRIDE_NODE_ID_FOR_TESTING": HEAD,
            "AUTOSCALER_UPDATE_INTERVAL_S": "1",
            "PYTHONPATH": str(ROOT),
        }
        log = self.folder / "head.log"
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                command,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=os.environ | own | self._environment,
                start_new_session=True,
            )
        waited = 0
        while "Ray runtime started" not in log.read_text(errors="replace"):
            assert self._process.poll() is None, "Ray's head ended"
            assert waited < 120, "Ray's head did not start"
            waited += self._pause()

    def _pause(self) -> int:
        assert self._process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=1)
        return 1

    def _stop(self) -> None:
        """End every process of the cluster, and no other, and remove its files."""
        mine = self._processes()
        try:
            if ray.is_initialized():
                serve.shutdown()  # type: ignore[no-untyped-call]
        finally:
            ray.shutdown()
            mine = [*{*mine, *self._processes()}]
            for process in mine:
                _signal(process, "terminate")
            for process in psutil.wait_procs(mine, timeout=5)[1]:
                _signal(process, "kill")
            psutil.wait_procs(mine, timeout=10)
            shutil.rmtree(self.folder, ignore_errors=True)

    def _processes(self) -> list[psutil.Process]:
        """Return the head's process, those that name our folder, and what they started."""
        found = set()
        for process in psutil.process_iter(["cmdline"]):
            if any(f"{self.folder}/" in word for word in process.info["cmdline"] or []):
                found.add(process)
        if self._process is not None and psutil.pid_exists(self._process.pid):
            found.add(psutil.Process(self._process.pid))
        for process in list(found):
            try:
                found.update(process.children(recursive=True))
            except psutil.NoSuchProcess:
                continue
        return list(found)


def _signal(process: psutil.Process, how: str) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        getattr(process, how)()


def autoscaler_config(address: str) -> dict[str, Any]:
    """Return what KubeRay tells the autoscaler of the worker groups, for fake nodes."""
    types: dict[str, Any] = {
        "ray.head.default": {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0}
    }
    for name, group in workers("base").items():
        limits = group["template"]["spec"]["containers"][0]["resources"]["limits"]
        resources = {"CPU": int(limits["cpu"]), "object_store_memory": STORE_BYTES}
        if gpus := limits.get("nvidia.com/gpu"):
            resources["GPU"] = int(gpus)
        types[name] = {
            "resources": resources,
            "node_config": {},
            "min_workers": group["minReplicas"],
            "max_workers": group["maxReplicas"],
            "idle_timeout_s": group["idleTimeoutSeconds"] / HASTE,
        }
    commands = ("initialization", "setup", "head_setup", "worker_setup", "head_start_ray")
    idle_s = ray_cluster("base")["autoscalerOptions"]["idleTimeoutSeconds"] / HASTE
    return {
        "cluster_name": "fake",
        "max_workers": sum(one["max_workers"] for one in types.values()),
        "idle_timeout_minutes": idle_s / 60,
        "upscaling_speed": 10.0,
        "provider": {
            "type": "external",
            "module": "ray.autoscaler._private.fake_multi_node.node_provider.FakeMultiNodeProvider",
            "gcs_address": address,
            "head_node_id": HEAD,
            "launch_multiple": True,
        },
        "auth": {},
        "available_node_types": types,
        "head_node_type": "ray.head.default",
        "file_mounts": {},
        "cluster_synced_files": [],
        "file_mounts_sync_continuously": False,
        "rsync_exclude": [],
        "rsync_filter": [],
        **{f"{name}_commands": [] for name in (*commands, "worker_start_ray")},
    }


class Model:
    async def __call__(self, gate: str) -> bool:
        """Hold the caller, as a run of a model does, until a file is there."""
        while gate and not os.path.exists(gate):  # noqa: ASYNC110, ASYNC240
            await asyncio.sleep(0.1)
        return True


class Ingress:
    def __init__(self, face: Handle, portrait: Handle, lips: Handle) -> None:
        self._face, self._models = face, (portrait, lips)

    async def __call__(self, gate: str) -> bool:
        """Call as the session loop does: the face once, then both models."""
        seen = await self._face.remote("")
        return all([seen, *await asyncio.gather(*(one.remote(gate) for one in self._models))])


def application() -> serve.Application:
    """Return tiny deployments under the names and with the options of `kuberay/base`."""
    options = {name: _options(entry) for name, entry in deployments("base").items()}
    ingress = _deployment(Ingress, options.pop("Ingress"))
    models = {name: _deployment(Model, own).bind() for name, own in options.items()}
    return ingress.bind(
        models.pop("FaceAnalyzer"), models.pop("PortraitAnimator"), models.pop("LipSync")
    )


def _deployment(of: type, options: dict[str, Any]) -> serve.Deployment:
    return serve.deployment()(of).options(**options)


def _options(entry: dict[str, Any]) -> dict[str, Any]:
    """Return a deployment's options, its delays shortened; it starts at its least size."""
    scaling = AutoscalingConfig(**entry["autoscaling_config"]).model_dump(exclude_none=True)
    delays = {name: value / HASTE for name, value in scaling.items() if name.endswith("delay_s")}
    shortened = scaling | delays | {"look_back_period_s": 3.0, "metrics_interval_s": 1.0}
    shortened.pop("initial_replicas")
    return entry | {"autoscaling_config": shortened}
