"""The monitoring component over each overlay: it finds the pods and ports that are there."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from app.observability.manifests import manifests
from tests.kuberay.rendered import FOLDERS, KUBERAY, of_kind, pods
from tests.kuberay.test_references import port_names, selects

MONITORS = [file for file in manifests().values() if file.get("kind") == "PodMonitor"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_ray_pod_is_scraped_at_ports_that_it_has(folder: str) -> None:
    scraped = set()
    for monitor in MONITORS:
        spec = monitor["spec"]
        for name, pod in pods(folder):
            if not selects(spec["selector"], pod["metadata"]["labels"]):
                continue
            scraped.add(name)
            wanted = {endpoint["port"] for endpoint in spec["podMetricsEndpoints"]}
            assert wanted <= port_names(pod).keys(), name
    assert {"head", "cpu"} <= scraped or {"head", "gpu"} <= scraped
    assert scraped == {name for name, pod in pods(folder) if "ray.io/node-type" in labels(pod)}


def labels(pod: dict[str, dict[str, dict[str, str]]]) -> dict[str, str]:
    return pod["metadata"]["labels"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_network_policies_let_prometheus_in(folder: str) -> None:
    allowed = {
        port["port"]
        for policy in of_kind(folder, "NetworkPolicy")
        for rule in policy["spec"].get("ingress", [])
        for peer in rule["from"]
        if peer.get("namespaceSelector", {}).get("matchLabels")
        == {"kubernetes.io/metadata.name": "monitoring"}
        for port in rule["ports"]
    }
    wanted = {
        endpoint["port"]
        for monitor in MONITORS
        for endpoint in monitor["spec"]["podMetricsEndpoints"]
    }
    assert wanted <= allowed


@pytest.mark.parametrize("folder", FOLDERS)
def test_an_overlay_takes_the_component(folder: str, tmp_path: Path) -> None:
    copy = tmp_path / "kuberay"
    shutil.copytree(KUBERAY, copy)
    own = copy / "overlays" / "own"
    own.mkdir()
    wanted = {"resources": [f"../../{folder}"], "components": ["../../components/monitoring"]}
    (own / "kustomization.yaml").write_text(yaml.safe_dump(wanted))
    kubectl = str(Path(sys.executable).with_name("kubectl"))
    built = subprocess.run([kubectl, "kustomize", own], capture_output=True, text=True, timeout=60)
    assert built.returncode == 0, built.stderr
    documents = list(yaml.safe_load_all(built.stdout))
    kinds = [document["kind"] for document in documents]
    assert kinds.count("PodMonitor") == 2
    assert kinds.count("PrometheusRule") == 1
    for document in documents:
        if document["kind"] in {"PodMonitor", "PrometheusRule", "ConfigMap"}:
            assert document["metadata"]["namespace"] == "digital-human"
