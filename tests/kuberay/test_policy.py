"""What pods may do: the `restricted` Pod Security Standard, and more that a scanner would ask."""

from typing import Any

import pytest

from tests.kuberay.rendered import FOLDERS, containers, of_kind, pods

each_folder = pytest.mark.parametrize("folder", FOLDERS)

TOKENS = {"head": "the autoscaler beside the head asks Kubernetes for pods"}
"""Pods that bear a token of Kubernetes, and why."""

UNLIMITED: dict[str, str] = {}
"""Containers without limits, and why."""

PROBED_BY_THE_OPERATOR = {"ray-head", "ray-worker", "autoscaler"}
"""KubeRay adds probes of Ray and of Serve's proxy; the autoscaler serves nothing."""

NO_PROBES = {"fetch": "a job ends by itself"}


@each_folder
def test_pods_are_no_root_and_share_nothing_with_the_host(folder: str) -> None:
    for name, pod in pods(folder):
        spec = pod["spec"]
        context = spec["securityContext"]
        assert context["runAsNonRoot"] is True, name
        assert context["runAsUser"] >= 10_000, name
        assert context["runAsGroup"] >= 10_000, name
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for key in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"):
            assert not spec.get(key), f"{name}: {key}"
        for volume in spec.get("volumes", []):
            kinds = volume.keys() - {"name"}
            assert kinds <= {"emptyDir", "secret", "configMap", "persistentVolumeClaim"}, name


@each_folder
def test_containers_have_no_privileges_and_cannot_write_their_image(folder: str) -> None:
    for name, pod in pods(folder):
        for container in containers(pod):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, f"{name}/{container['name']}"


@each_folder
def test_containers_have_requests_and_limits(folder: str) -> None:
    for name, pod in pods(folder):
        for container in containers(pod):
            resources = container["resources"]
            for kind in ("requests", "limits"):
                assert {"cpu", "memory"} <= resources[kind].keys(), f"{name}/{container['name']}"
            assert resources["requests"].get("nvidia.com/gpu") == resources["limits"].get(
                "nvidia.com/gpu"
            )


@each_folder
def test_only_the_head_bears_a_token(folder: str) -> None:
    for name, pod in pods(folder):
        if name in TOKENS:
            # The operator makes an account for the autoscaler, if none is named.
            assert "serviceAccountName" not in pod["spec"]
        else:
            assert pod["spec"]["automountServiceAccountToken"] is False, name
            assert pod["spec"]["serviceAccountName"] == "digital-human", name
    for account in of_kind(folder, "ServiceAccount"):
        assert account["automountServiceAccountToken"] is False


@each_folder
def test_images_have_versions(folder: str) -> None:
    for name, pod in pods(folder):
        for container in containers(pod):
            _, _, tag = container["image"].rpartition(":")
            assert tag, name
            assert "/" not in tag, name
            assert tag != "latest", name
            assert container["imagePullPolicy"] == "IfNotPresent", name


@each_folder
def test_containers_are_probed(folder: str) -> None:
    for name, pod in pods(folder):
        for container in pod["spec"]["containers"]:
            if container["name"] in PROBED_BY_THE_OPERATOR | NO_PROBES.keys():
                # A probe of ours would take the place of the operator's, which asks the proxy too.
                assert not {"livenessProbe", "readinessProbe"} & container.keys(), name
            else:
                assert {"livenessProbe", "readinessProbe"} <= container.keys(), name


@each_folder
def test_disks_and_memory_of_pods_are_bounded(folder: str) -> None:
    for name, pod in pods(folder):
        for volume in pod["spec"].get("volumes", []):
            if "emptyDir" in volume:
                assert "sizeLimit" in volume["emptyDir"], f"{name}: {volume['name']}"


@each_folder
def test_no_secret_is_written_down(folder: str) -> None:
    assert of_kind(folder, "Secret") == []
    for name, pod in pods(folder):
        for container in containers(pod):
            for variable in container.get("env", []):
                secret = any(word in variable["name"] for word in ("TOKEN", "PASSWORD", "AUTH"))
                assert not (secret and "value" in variable), f"{name}: {variable['name']}"


@each_folder
def test_the_namespace_refuses_pods_that_ask_for_more(folder: str) -> None:
    (namespace,) = of_kind(folder, "Namespace")
    labels: dict[str, Any] = namespace["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
