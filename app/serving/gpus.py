"""A replica's GPU: how much of it Ray gave, and GPUs of this node that nobody uses.

Ray's count is asked and not torch, because a replica from which GPUs are hidden sees none; nor
`/proc/driver/nvidia`, which shows a host's GPUs also in containers that were given none.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import ray

from app.variants.config import Device
from app.variants.device import blindness, hold_to

logger = logging.getLogger("ray.serve")  # Ray adds deployment and replica


def warn_of_idle_gpus(deployment: str, asked: Device, device: str) -> None:
    """Write one warning if a replica runs on the CPU of a node that has GPUs.

    Args:
        deployment: of the replica.
        asked: its setting; who asks for "cpu" is not warned.
        device: where it runs.
    """
    if asked != "cpu" and device == "cpu":
        warning = idle_gpus_warning(deployment, gpus_here())
        if warning:
            logger.warning(warning)


def keep_to_share() -> None:
    """Hold this process to its share of a GPU's memory: Ray reserves shares, and no more."""
    if not ray.is_initialized():
        return
    context = ray.get_runtime_context()
    if context.get_actor_id() is not None:
        resources = context.get_assigned_resources()  # type: ignore[no-untyped-call]
        hold_to(float(resources.get("GPU", 0.0)))


def gpus_here() -> int:
    """Return how many GPUs Ray counts on this process's node; without Ray, none."""
    if not ray.is_initialized():
        return 0
    nodes = ray.nodes()  # type: ignore[no-untyped-call]
    return gpus_of(ray.get_runtime_context().get_node_id(), nodes)


def gpus_of(node_id: str, nodes: Sequence[Mapping[str, Any]]) -> int:
    """Return how many GPUs one of `ray.nodes()` has."""
    return int(sum(node["Resources"].get("GPU", 0) for node in nodes if node["NodeID"] == node_id))


def idle_gpus_warning(deployment: str, gpus: int) -> str:
    """Return what to tell the operator about GPUs that a replica on the CPU could use, or ""."""
    if not gpus:
        return ""
    return (
        f"{deployment} runs on the CPU, though this node has GPUs ({gpus}): {blindness()}. Where "
        f"torch has CUDA, `python -m app.serving config --gpus {gpus} > serve_gpu.yaml` writes a "
        "configuration that uses them."
    )
