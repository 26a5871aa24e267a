"""What `kubectl kustomize` makes of a folder of `kuberay/`, and the pods that would come of it."""

import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
KUBERAY = ROOT / "kuberay"
FOLDERS = [
    "base",
    *(
        f"overlays/{path.parent.name}"
        for path in sorted(KUBERAY.glob("overlays/*/kustomization.yaml"))
    ),
]

Manifest = dict[str, Any]


@cache
def rendered(folder: str) -> list[Manifest]:
    """Return the documents of a folder, such as `overlays/cpu`."""
    kubectl = Path(sys.executable).with_name("kubectl")
    built = subprocess.run(
        [str(kubectl), "kustomize", str(KUBERAY / folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert built.returncode == 0, built.stderr
    return list(yaml.safe_load_all(built.stdout))


def of_kind(folder: str, kind: str) -> list[Manifest]:
    return [document for document in rendered(folder) if document["kind"] == kind]


def ray_service(folder: str) -> Manifest:
    (service,) = of_kind(folder, "RayService")
    return service


def ray_cluster(folder: str) -> Manifest:
    cluster: Manifest = ray_service(folder)["spec"]["rayClusterConfig"]
    return cluster


def workers(folder: str) -> dict[str, Manifest]:
    """Return the worker groups by name."""
    return {group["groupName"]: group for group in ray_cluster(folder)["workerGroupSpecs"]}


def serve_config(folder: str) -> Manifest:
    config: Manifest = yaml.safe_load(ray_service(folder)["spec"]["serveConfigV2"])
    return config


def deployments(folder: str) -> dict[str, Manifest]:
    (application,) = serve_config(folder)["applications"]
    return {entry["name"]: entry for entry in application["deployments"]}


def pods(folder: str) -> Iterator[tuple[str, Manifest]]:
    """Yield every pod template under a name, with what KubeRay adds to its own."""
    cluster = ray_cluster(folder)
    yield "head", _head(cluster)
    for group in cluster["workerGroupSpecs"]:
        yield group["groupName"], _labelled(group["template"], "worker", group["groupName"])
    for document in rendered(folder):
        if document["kind"] in {"Job", "StatefulSet", "Deployment", "DaemonSet"}:
            yield document["metadata"]["name"], document["spec"]["template"]


def containers(pod: Manifest) -> list[Manifest]:
    """Return the containers of a pod template, those that only start it included."""
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def _labelled(template: Manifest, kind: str, group: str) -> Manifest:
    added = {"ray.io/cluster": "digital-human-x", "ray.io/node-type": kind, "ray.io/group": group}
    meta = template["metadata"]
    return template | {"metadata": meta | {"labels": meta["labels"] | added}}


def _head(cluster: Manifest) -> Manifest:
    """Return the head's pod with the autoscaler that the operator puts beside it."""
    template = _labelled(cluster["headGroupSpec"]["template"], "head", "headgroup")
    spec, options = template["spec"], cluster["autoscalerOptions"]
    autoscaler = {
        "name": "autoscaler",
        "image": spec["containers"][0]["image"],
        "imagePullPolicy": options.get("imagePullPolicy", "IfNotPresent"),
        "env": options.get("env", []),
    } | {key: options[key] for key in ("resources", "securityContext", "volumeMounts")}
    return template | {"spec": spec | {"containers": [*spec["containers"], autoscaler]}}
