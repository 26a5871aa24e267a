"""Every manifest is what the API server would take, and holds no key that it would drop."""

from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from tests.kuberay.rendered import FOLDERS, ROOT, pods, ray_service, rendered

KUBERNETES = "1.34"
FOREIGN = "monitoring.coreos.com"
"""Kinds of the monitoring component, which has tests of its own."""


@cache
def schema() -> dict[str, Any]:
    """Return the schema of a RayService; skip where the CRDs are not beside the checkout."""
    file = ROOT.parent / "shared" / "crds" / "ray.io_rayservices.yaml"
    if not file.is_file():
        pytest.skip("no ../shared/crds beside this checkout")
    definition = yaml.load(file.read_text(), yaml.CSafeLoader)
    (version,) = (v for v in definition["spec"]["versions"] if v["name"] == "v1")
    found: dict[str, Any] = _with_numbers_or_text(version["schema"]["openAPIV3Schema"])
    return found


def _with_numbers_or_text(node: Any) -> Any:  # noqa: ANN401
    """Say in JSON Schema's words what Kubernetes says in its own."""
    if isinstance(node, list):
        return [_with_numbers_or_text(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    said = {key: _with_numbers_or_text(value) for key, value in node.items()}
    if said.pop("x-kubernetes-int-or-string", False) is True:
        said.pop("anyOf", None)
        said["type"] = ["integer", "string"]
    return said


def undeclared(value: object, declared: dict[str, Any], path: str = "") -> Iterator[str]:
    """Yield the paths of keys that a schema does not know."""
    if isinstance(value, list):
        for index, entry in enumerate(value):
            yield from undeclared(entry, declared.get("items", {}), f"{path}[{index}]")
    if not isinstance(value, dict) or declared.get("x-kubernetes-preserve-unknown-fields"):
        return
    known, others = declared.get("properties", {}), declared.get("additionalProperties")
    for key, entry in value.items():
        if key in known:
            yield from undeclared(entry, known[key], f"{path}.{key}")
        elif isinstance(others, dict):
            yield from undeclared(entry, others, f"{path}.{key}")
        elif not others:
            yield f"{path}.{key}"


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_ray_service_is_valid_and_all_its_keys_are_declared(folder: str) -> None:
    service = ray_service(folder)
    jsonschema.Draft202012Validator(schema()).validate(service)
    # Metadata is typed by Kubernetes itself.
    assert list(undeclared(service["spec"], schema()["properties"]["spec"])) == []


def test_a_misspelt_key_of_a_ray_service_is_noticed() -> None:
    service = deepcopy(ray_service("base"))
    service["spec"]["rayClusterConfig"]["workerGroupSpecs"][0]["minReplica"] = 1
    found = list(undeclared(service["spec"], schema()["properties"]["spec"]))
    assert found == [".rayClusterConfig.workerGroupSpecs[0].minReplica"]
    del service["spec"]["rayClusterConfig"]["workerGroupSpecs"][0]["minReplicas"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema()).validate(service)


@pytest.mark.parametrize("folder", FOLDERS)
def test_kubernetes_own_kinds_are_valid(folder: str) -> None:
    own = [
        document
        for document in rendered(folder)
        if document["kind"] != "RayService" and FOREIGN not in document["apiVersion"]
    ]
    assert len(own) > 10
    for document in own:
        kubernetes_validate.validate(document, KUBERNETES, strict=True)


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_pods_are_valid_with_what_the_operator_adds(folder: str) -> None:
    for name, template in pods(folder):
        pod = {"apiVersion": "v1", "kind": "Pod", **template}
        pod["metadata"] = pod["metadata"] | {"name": name}
        kubernetes_validate.validate(pod, KUBERNETES, strict=True)


def test_a_misspelt_key_of_a_pod_is_noticed() -> None:
    _, template = next(pods("base"))
    pod = deepcopy({"apiVersion": "v1", "kind": "Pod", **template})
    pod["spec"]["containers"][0]["volumeMount"] = []
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(pod, KUBERNETES, strict=True)


def test_each_file_holds_one_document_of_the_kind_in_its_name() -> None:
    for file in sorted(Path(ROOT / "kuberay").rglob("*.yaml")):
        (document,) = list(yaml.safe_load_all(file.read_text()))
        if isinstance(document, dict) and "kind" in document:
            kind, stem = document["kind"].lower(), file.stem.split("-")
            assert kind in stem or (kind in {"kustomization", "component"}), file
        else:
            assert file.stem.endswith(("-patch", "serve-differences")), file
