"""This application's metrics, read back from what Ray exports on this node."""

import asyncio

import httpx
import ray
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric as Family
from prometheus_client.parser import text_string_to_metric_families

from app.errors import NotReady
from app.observability.metrics import METRICS, PREFIX

OURS = "ray_" + PREFIX
OWN_LABELS = {label for metric in METRICS for label in metric.labels} | {"le"}


class NodeExport:
    """A prometheus_client collector over what Ray exports on this node, ours only."""

    def __init__(self, text: str) -> None:
        self._text = text

    def collect(self) -> list[Family]:
        """Return the families of this product under their own names."""
        # Ray exports thousands of lines; to parse them all takes a quarter of a second.
        lines = [line for line in self._text.splitlines() if OURS in line]
        families = text_string_to_metric_families("\n".join(lines))
        return [_renamed(family) for family in families if family.name.startswith(OURS)]


def _renamed(family: Family) -> Family:
    """Return a family without Ray's prefix, and without the labels of Ray's plumbing."""
    renamed = Family(family.name.removeprefix("ray_"), family.documentation, family.type)
    renamed.samples = [
        sample._replace(
            name=sample.name.removeprefix("ray_"),
            labels={name: text for name, text in sample.labels.items() if _is_telling(name)},
        )
        for sample in family.samples
    ]
    return renamed


def _is_telling(label: str) -> bool:
    """Return whether a label says more than which build and process of Ray exports it."""
    return label in {"application", "deployment", "replica"} | OWN_LABELS


async def export() -> bytes:
    """Return this application's metrics in the Prometheus text format.

    Raises:
        NotReady: Ray's export of this node does not answer.
    """
    address = await asyncio.to_thread(_export_address)
    try:
        async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
            answer = await client.get(f"http://{address}/metrics")
            answer.raise_for_status()
    except httpx.HTTPError:
        raise NotReady("Ray's metrics export does not answer.", "Try again.") from None
    registry = CollectorRegistry()
    registry.register(NodeExport(answer.text))
    return generate_latest(registry)


def _export_address() -> str:
    """Return host:port of Ray's Prometheus export on this node."""
    here = ray.get_runtime_context().get_node_id()
    nodes = ray.nodes()  # type: ignore[no-untyped-call]
    node = next(node for node in nodes if node["NodeID"] == here)
    return f"{node['NodeManagerAddress']}:{node['MetricsExportPort']}"
