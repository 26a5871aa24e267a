"""What a manifest names is there: pods, ports, volumes, secrets, and the labels that find them."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.kuberay.rendered import (
    FOLDERS,
    KUBERAY,
    ROOT,
    containers,
    of_kind,
    pods,
    ray_cluster,
    ray_service,
    rendered,
    workers,
)

each_folder = pytest.mark.parametrize("folder", FOLDERS)

GATEWAY = {"gateway.networking.k8s.io/gateway-name": "digital-human-gateway"}
"""Labels of the pods that stand behind the Gateway which KubeRay makes for a RayService."""


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Return whether a label selector means something with these labels."""
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    for rule in selector.get("matchExpressions", []):
        value = labels.get(rule["key"])
        if rule["operator"] == "In" and value not in rule["values"]:
            return False
        if rule["operator"] == "Exists" and value is None:
            return False
        assert rule["operator"] in {"In", "Exists"}
    return True


def selected(folder: str, selector: dict[str, Any]) -> list[dict[str, Any]]:
    return [pod for _, pod in pods(folder) if selects(selector, pod["metadata"]["labels"])]


def port_names(pod: dict[str, Any]) -> dict[str, int]:
    ports = [port for container in containers(pod) for port in container.get("ports", [])]
    return {port["name"]: port["containerPort"] for port in ports}


def named(folder: str, kind: str) -> set[str]:
    return {document["metadata"]["name"] for document in of_kind(folder, kind)}


@each_folder
def test_budgets_and_services_find_their_pods(folder: str) -> None:
    for budget in of_kind(folder, "PodDisruptionBudget"):
        assert len(selected(folder, budget["spec"]["selector"])) == 1, budget["metadata"]["name"]
    for service in of_kind(folder, "Service"):
        (pod,) = selected(folder, {"matchLabels": service["spec"]["selector"]})
        for port in service["spec"]["ports"]:
            assert port_names(pod)[port["targetPort"]] == port["port"]
    for workload in of_kind(folder, "StatefulSet"):
        spec = workload["spec"]
        assert selects(spec["selector"], spec["template"]["metadata"]["labels"])
        assert spec["serviceName"] in named(folder, "Service")


@each_folder
def test_every_worker_group_that_can_spare_a_pod_has_a_budget(folder: str) -> None:
    budgets = [budget["spec"] for budget in of_kind(folder, "PodDisruptionBudget")]
    for name, group in workers(folder).items():
        labels = group["template"]["metadata"]["labels"]
        found = [budget for budget in budgets if selects(budget["selector"], labels)]
        assert len(found) == (group["maxReplicas"] > 1), name
        for budget in found:
            # Of pods whose owner has no `scale`, as a RayCluster, Kubernetes counts only those.
            assert type(budget["minAvailable"]) is int
            assert budget["minAvailable"] < group["maxReplicas"]
            assert "maxUnavailable" not in budget


def test_a_ray_cluster_still_has_no_scale() -> None:
    file = ROOT.parent / "shared" / "crds" / "ray.io_rayclusters.yaml"
    if not file.is_file():
        pytest.skip("no ../shared/crds beside this checkout")
    definition = yaml.load(file.read_text(), yaml.CSafeLoader)
    for version in definition["spec"]["versions"]:
        assert version["subresources"] == {"status": {}}


def rules(policy: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, dict[str, Any]]]:
    """Yield (peer, port name, selector whose pods have the port) of a network policy."""
    spec = policy["spec"]
    for rule in spec.get("ingress", []):
        for peer in rule.get("from", [{}]):
            for port in rule.get("ports", [{}]):
                yield peer, port.get("port", ""), spec["podSelector"]
    for rule in spec.get("egress", []):
        for peer in rule.get("to", [{}]):
            for port in rule.get("ports", [{}]):
                yield peer, port.get("port", ""), peer.get("podSelector", {})


@each_folder
def test_network_policies_find_pods_and_ports(folder: str) -> None:
    for policy in of_kind(folder, "NetworkPolicy"):
        name = policy["metadata"]["name"]
        assert is_there(folder, policy["spec"]["podSelector"]), name
        for peer, port, holders in rules(policy):
            if "podSelector" in peer and "namespaceSelector" not in peer:
                assert is_there(folder, peer["podSelector"]), name
            if isinstance(port, str) and port:
                assert any(port in port_names(pod) for pod in selected(folder, holders)), port


def is_there(folder: str, selector: dict[str, Any]) -> bool:
    return bool(selected(folder, selector)) or (has_gateway(folder) and selects(selector, GATEWAY))


def has_gateway(folder: str) -> bool:
    strategy = ray_service(folder)["spec"]["upgradeStrategy"]["type"]
    return bool(strategy == "NewClusterWithIncrementalUpgrade")


@each_folder
def test_where_a_gateway_stands_before_serve_it_reaches_the_workers(folder: str) -> None:
    policies = [policy["spec"] for policy in of_kind(folder, "NetworkPolicy")]
    for name, pod in pods(folder):
        if name not in {"cpu", "gpu"}:
            continue
        labels = pod["metadata"]["labels"]
        into = allowed(policies, labels, "ingress", "from", GATEWAY)
        out_of = allowed(policies, GATEWAY, "egress", "to", labels)
        assert (into, out_of) == ((["serve"], ["serve"]) if has_gateway(folder) else ([], []))


def allowed(
    policies: list[dict[str, Any]],
    labels: dict[str, str],
    way: str,
    side: str,
    peer: dict[str, str],
) -> list[str]:
    """Return the ports that policies of a pod with these labels open to a pod beside it."""
    return [
        port["port"]
        for policy in policies
        if policy["podSelector"] and selects(policy["podSelector"], labels)
        for rule in policy.get(way, [])
        if any(
            selects(one["podSelector"], peer)
            for one in rule.get(side, [])
            if "podSelector" in one and "namespaceSelector" not in one
        )
        for port in rule.get("ports", [])
    ]


@each_folder
def test_what_no_policy_names_does_not_pass(folder: str) -> None:
    (deny,) = (
        policy
        for policy in of_kind(folder, "NetworkPolicy")
        if policy["metadata"]["name"] == "default-deny"
    )
    assert deny["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


@each_folder
def test_clients_reach_the_serve_port_of_the_workers(folder: str) -> None:
    for name, pod in pods(folder):
        if name in {"head", "cpu", "gpu"}:
            assert port_names(pod)["serve"] == 8000
            assert port_names(pod)["metrics"] == 8080


def references(pod: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield (kind, name, key) of what a pod takes from elsewhere."""
    for container in containers(pod):
        for variable in container.get("env", []):
            source = variable.get("valueFrom", {})
            if "secretKeyRef" in source:
                yield "Secret", source["secretKeyRef"]["name"], source["secretKeyRef"]["key"]
            if "configMapKeyRef" in source:
                yield (
                    "ConfigMap",
                    source["configMapKeyRef"]["name"],
                    source["configMapKeyRef"]["key"],
                )
    for volume in pod["spec"].get("volumes", []):
        if "secret" in volume:
            yield "Secret", volume["secret"]["secretName"], ""
        if "persistentVolumeClaim" in volume:
            yield "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"], ""
    if "serviceAccountName" in pod["spec"]:
        yield "ServiceAccount", pod["spec"]["serviceAccountName"], ""


def readme_secrets() -> dict[str, set[str]]:
    """Return the secrets that the README has one make, with their keys."""
    text = (ROOT / "README.md").read_text()
    made = re.findall(r"create secret generic (\S+)((?:[^\n]|\\\n)*)", text)
    return {
        name: set(re.findall(r"--from-(?:file|literal)=([\w.-]+)=", rest)) for name, rest in made
    }


@each_folder
def test_everything_that_pods_refer_to_exists(folder: str) -> None:
    secrets = readme_secrets()
    for name, pod in pods(folder):
        for kind, referred, key in references(pod):
            if kind == "Secret":
                assert referred in secrets, f"{name}: {referred}"
                assert not key or key in secrets[referred]
            else:
                assert referred in named(folder, kind), f"{name}: {kind} {referred}"
                if kind == "ConfigMap":
                    (found,) = (
                        m for m in of_kind(folder, kind) if m["metadata"]["name"] == referred
                    )
                    assert key in found["data"]


@each_folder
def test_mounts_have_volumes_and_keys_lie_where_the_configuration_says(folder: str) -> None:
    for name, pod in pods(folder):
        volumes = {volume["name"] for volume in pod["spec"].get("volumes", [])}
        volumes |= {
            claim["metadata"]["name"]
            for workload in of_kind(folder, "StatefulSet")
            if workload["metadata"]["name"] == name
            for claim in workload["spec"]["volumeClaimTemplates"]
        }
        mounts = [mount for one in containers(pod) for mount in one.get("volumeMounts", [])]
        assert {mount["name"] for mount in mounts} == volumes, name
    assert "keys.yaml" in readme_secrets()["digital-human-api-keys"]


@each_folder
def test_ray_finds_its_redis(folder: str) -> None:
    options = ray_cluster(folder)["gcsFaultToleranceOptions"]
    host, port = options["redisAddress"].removeprefix("redis://").split(":")
    (service,) = (s for s in of_kind(folder, "Service") if s["metadata"]["name"] == host)
    assert int(port) in [entry["port"] for entry in service["spec"]["ports"]]
    secret = options["redisPassword"]["valueFrom"]["secretKeyRef"]
    (redis,) = selected(folder, {"matchLabels": service["spec"]["selector"]})
    assert ("Secret", secret["name"], "") in list(references(redis))
    assert secret["key"] in readme_secrets()[secret["name"]]
    assert f"/{secret['key']})" in redis["spec"]["containers"][0]["args"][0]


@each_folder
def test_everything_is_in_the_namespace(folder: str) -> None:
    for document in rendered(folder):
        if document["kind"] != "Namespace":
            assert document["metadata"]["namespace"] == "digital-human"
    assert named(folder, "Namespace") == {"digital-human"}


def test_kustomizations_name_every_file_beside_them() -> None:
    for file in KUBERAY.rglob("kustomization.yaml"):
        text = file.read_text()
        others = {path.name for path in file.parent.glob("*.yaml")} - {file.name}
        for name in others - {"serve-differences.yaml"}:
            assert name in text, f"{file.parent.name}/{name} is in no kustomization"
