"""Replicas fit the pods, streams fit the time that pods are given to end, and versions agree."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.serve.config import AutoscalingConfig
from ray.serve.schema import ServeDeploySchema

from app import __version__
from app.serving import plan
from app.serving.manifests import cluster_config, patches
from app.settings import AppArgs
from tests.kuberay.rendered import (
    FOLDERS,
    KUBERAY,
    ROOT,
    containers,
    deployments,
    of_kind,
    pods,
    ray_cluster,
    ray_service,
    serve_config,
    workers,
)
from tests.test_config import lost

each_folder = pytest.mark.parametrize("folder", FOLDERS)
MODELS = ("PortraitAnimator", "LipSync")
UNITS = {"Mi": 2**20, "Gi": 2**30, "Ki": 2**10}


def quantity(text: str | int) -> float:
    """Return bytes, or CPUs, of what Kubernetes writes."""
    if match := re.fullmatch(r"(\d+)([KMG]i)", str(text)):
        return int(match[1]) * UNITS[match[2]]
    if match := re.fullmatch(r"(\d+)m", str(text)):
        return int(match[1]) / 1000
    return float(text)


def bounds(deployment: dict[str, Any]) -> tuple[int, int, int]:
    """Return the least, first and largest number of replicas."""
    scaling = deployment.get("autoscaling_config")
    if scaling is None:
        return (deployment["num_replicas"],) * 3
    return scaling["min_replicas"], scaling["initial_replicas"], scaling["max_replicas"]


def cpus(folder: str, which: int) -> float:
    total: float = sum(
        bounds(one)[which] * one["ray_actor_options"]["num_cpus"]
        for one in deployments(folder).values()
    )
    return total


def ray_container(group: dict[str, Any]) -> dict[str, Any]:
    container: dict[str, Any] = group["template"]["spec"]["containers"][0]
    return container


def test_the_patches_are_those_that_the_command_writes() -> None:
    written = dict(patches(ROOT / "serve_config.yaml", KUBERAY))
    assert {path.parent.name for path in written} == {"base", "cpu", "one-gpu", "several-gpus"}
    for path, text in written.items():
        assert path.read_text() == text, f"{path}: run `python -m app.serving manifests`"


@each_folder
def test_what_is_applied_is_the_written_configuration(folder: str) -> None:
    wanted = "overlays/several-gpus" if folder == "overlays/incremental" else folder
    assert serve_config(folder) == cluster_config(ROOT / "serve_config.yaml", KUBERAY / wanted)


@each_folder
def test_ray_understands_every_key(folder: str) -> None:
    config = serve_config(folder)
    schema = ServeDeploySchema.model_validate(config)
    assert lost(config, schema.model_dump(exclude_unset=True)) == []
    (application,) = config["applications"]
    AppArgs.model_validate(application["args"])
    for deployment in application["deployments"]:
        # Ray takes both, and then scales by neither as one expects.
        assert ("num_replicas" in deployment) != ("autoscaling_config" in deployment)
        if scaling := deployment.get("autoscaling_config"):
            assert scaling.keys() <= AutoscalingConfig.model_fields.keys()
            AutoscalingConfig(**scaling)


@each_folder
def test_clusters_answer_from_every_node_and_want_keys(folder: str) -> None:
    config = serve_config(folder)
    assert config["proxy_location"] == "EveryNode"
    assert config["http_options"] == {"host": "0.0.0.0", "port": 8000}
    (application,) = config["applications"]
    keys = Path(application["args"]["api"]["keys_file"])
    for group in workers(folder).values():
        mounts = {mount["mountPath"] for mount in ray_container(group)["volumeMounts"]}
        assert str(keys.parent) in mounts


@each_folder
def test_one_pod_holds_a_whole_pipeline(folder: str) -> None:
    by_name, groups = deployments(folder), workers(folder)
    group = groups.get("gpu") or groups["cpu"]
    least = sum(one["ray_actor_options"]["num_cpus"] for one in by_name.values())
    assert least <= quantity(ray_container(group)["resources"]["limits"]["cpu"])
    shares = [by_name[name]["ray_actor_options"].get("num_gpus", 0) for name in MODELS]
    if "gpu" in groups:
        assert shares == [plan.PORTRAIT_GPUS, plan.LIPS_GPUS]
        assert sum(shares) <= 0.9
        assert ray_container(group)["resources"]["limits"]["nvidia.com/gpu"] == 1
        assert all("runtime_env" not in by_name[name]["ray_actor_options"] for name in MODELS)
    else:
        assert shares == [0, 0]
        assert all(
            by_name[name]["ray_actor_options"]["runtime_env"] == plan.NO_GPU for name in MODELS
        )
    assert by_name["FaceAnalyzer"]["ray_actor_options"]["runtime_env"] == plan.NO_GPU


@each_folder
@pytest.mark.parametrize(
    ("which", "pods_of"), [(0, "minReplicas"), (1, "replicas"), (2, "maxReplicas")]
)
def test_pods_grow_as_far_as_replicas_do(folder: str, which: int, pods_of: str) -> None:
    groups, by_name = workers(folder), deployments(folder)
    room = sum(
        group[pods_of] * quantity(ray_container(group)["resources"]["limits"]["cpu"])
        for group in groups.values()
    )
    assert cpus(folder, which) <= room
    if "gpu" in groups:
        # Any two replicas fit on a GPU, so that as many of each as there are pods always fit.
        assert {bounds(by_name[name])[which] for name in MODELS} == {groups["gpu"][pods_of]}


@each_folder
def test_groups_say_all_three_sizes(folder: str) -> None:
    for group in workers(folder).values():
        assert 0 < group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    if folder in {"base", "overlays/several-gpus", "overlays/incremental"}:
        gpu = workers(folder)["gpu"]
        assert (gpu["minReplicas"], gpu["replicas"], gpu["maxReplicas"]) == (1, 3, 10)
        memory = ray_container(gpu)["resources"]
        assert (memory["requests"]["memory"], memory["limits"]["memory"]) == ("8Gi", "16Gi")


@each_folder
def test_scaling_begins_before_sessions_are_refused(folder: str) -> None:
    scaling = deployments(folder)["Ingress"].get("autoscaling_config")
    (application,) = serve_config(folder)["applications"]
    session = AppArgs.model_validate(application["args"]).session
    if scaling:
        assert scaling["target_ongoing_requests"] < session.max_sessions
        assert scaling["upscale_delay_s"] < scaling["downscale_delay_s"]


@each_folder
def test_the_object_store_fits_its_memory_and_leaves_room(folder: str) -> None:
    cluster = ray_cluster(folder)
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        spec, container = group["template"]["spec"], ray_container(group)
        store = int(group["rayStartParams"]["object-store-memory"])
        (shm,) = (volume["emptyDir"] for volume in spec["volumes"] if volume["name"] == "shm")
        assert shm["medium"] == "Memory"
        assert store <= quantity(shm["sizeLimit"])
        # What lies in it counts as the container's memory: the rest is for processes.
        assert (
            quantity(shm["sizeLimit"]) <= quantity(container["resources"]["requests"]["memory"]) / 3
        )
        assert {"name": "shm", "mountPath": "/dev/shm"} in container["volumeMounts"]


@each_folder
def test_streams_end_before_their_pods_do(folder: str) -> None:
    (application,) = serve_config(folder)["applications"]
    media = AppArgs.model_validate(application["args"]).media
    graceful = deployments(folder)["Ingress"]["graceful_shutdown_timeout_s"]
    assert graceful > max(media.max_audio_s, media.max_video_s)
    assert ray_service(folder)["spec"]["rayClusterDeletionDelaySeconds"] > graceful
    for group in workers(folder).values():
        command = ray_container(group)["lifecycle"]["preStop"]["exec"]["command"]
        assert command[:-1] == ["python", "-m", "app.serving", "drain", "--timeout-s"]
        grace = group["template"]["spec"]["terminationGracePeriodSeconds"]
        assert graceful < float(command[-1]) < grace


@each_folder
def test_the_operator_would_take_the_service(folder: str) -> None:
    service, cluster = ray_service(folder), ray_cluster(folder)
    assert len(service["metadata"]["name"]) <= 47
    assert service["spec"]["excludeHeadPodFromServeSvc"] is True
    assert cluster["enableInTreeAutoscaling"] is True
    assert cluster["autoscalerOptions"]["version"] == "v2"
    assert cluster["authOptions"]["mode"] == "token"
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        # Version 2 of the autoscaler refuses pods that start again by themselves.
        assert group["template"]["spec"].get("restartPolicy", "Never") == "Never"
        assert "resources" not in group
    upgrade = service["spec"]["upgradeStrategy"]
    kinds = {"overlays/one-gpu": "None", "overlays/incremental": "NewClusterWithIncrementalUpgrade"}
    assert upgrade["type"] == kinds.get(folder, "NewCluster")
    if options := upgrade.get("clusterUpgradeOptions"):
        assert 0 < options["stepSizePercent"] <= options["maxSurgePercent"] <= 100
        assert options["intervalSeconds"] > 0


@each_folder
def test_versions_agree(folder: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"ray[serve]=={ray.__version__}" in project["dependencies"]
    assert ray_cluster(folder)["rayVersion"] == ray.__version__
    ours = f"digital-human:{__version__}-ray{ray.__version__}-"
    for name, pod in pods(folder):
        for container in containers(pod):
            if container["name"] != "redis":
                kind = "cuda" if name == "gpu" else "cpu"
                assert container["image"] == ours + kind, f"{name}/{container['name']}"


@each_folder
def test_what_is_served_is_what_is_fetched(folder: str) -> None:
    (config,) = of_kind(folder, "ConfigMap")
    (application,) = serve_config(folder)["applications"]
    args = AppArgs.model_validate(application["args"])
    wanted = ["face"] + ["liveportrait"] * (args.portrait.variant == "liveportrait")
    assert config["data"]["groups"].split() == wanted
    assert args.lips.variant == "viseme"
    builds = [
        container
        for _, pod in pods(folder)
        for container in pod["spec"].get("initContainers", [])
        if container["name"] == "build-engines"
    ]
    assert len(builds) == (args.portrait.variant == "liveportrait")
