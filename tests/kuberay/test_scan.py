"""Checkov, a scanner of policies for Kubernetes, finds nothing but what is explained here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.kuberay.rendered import FOLDERS, pods, rendered

VERSION = "3.3.30"

EVERY_NODE_KEEPS_THE_IMAGE = (
    "a tag of ours names one build; pulling gigabytes at every start would make scaling slow"
)
NO_REGISTRY_YET = "who builds the image knows its digest, and puts it into the kustomization"
OPERATOR_PROBES = "KubeRay adds its own probes, and only where the manifest has none"

EXCEPTIONS = {
    "CKV_K8S_15": EVERY_NODE_KEEPS_THE_IMAGE,
    "CKV_K8S_43": NO_REGISTRY_YET,
    "CKV_K8S_8": OPERATOR_PROBES,
    "CKV_K8S_9": OPERATOR_PROBES,
    "CKV_K8S_38": "the autoscaler beside the head asks Kubernetes for pods",
}
"""Why a check may fail, by its name."""

ONLY = {
    "CKV_K8S_8": {"head", "cpu", "gpu"},
    "CKV_K8S_9": {"head", "cpu", "gpu"},
    "CKV_K8S_38": {"head"},
}
"""Pods that an exception is limited to."""


@pytest.fixture(scope="module")
def checkov() -> Path:
    """Return the scanner, in an environment of its own: it wants other versions than we do."""
    folder = Path(sys.prefix) / f"checkov-{VERSION}"
    command = folder / "bin" / "checkov"
    if not command.is_file():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=120)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        done = subprocess.run([*pip, f"checkov=={VERSION}"], check=False, timeout=400)
        if done.returncode:
            pytest.skip("checkov could not be installed")
    return command


def test_the_scan_is_clean_but_for_what_is_explained(checkov: Path, tmp_path: Path) -> None:
    for folder in FOLDERS:
        documents = [document for document in rendered(folder) if document["kind"] != "RayService"]
        for name, template in pods(folder):
            if name in {"head", "cpu", "gpu"}:  # as the operator would make them
                meta = template["metadata"] | {"name": name, "namespace": "digital-human"}
                pod = {"apiVersion": "v1", "kind": "Pod", **template, "metadata": meta}
                documents.append(pod)
        file = tmp_path / f"{folder.replace('/', '-')}.yaml"
        file.write_text(yaml.safe_dump_all(documents))
    options = ["--framework", "kubernetes", "--skip-download", "--compact", "--output", "json"]
    ran = subprocess.run(
        [str(checkov), "--directory", str(tmp_path), *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    report = json.loads(ran.stdout)
    assert report["summary"]["passed"] > 500
    assert report["summary"]["parsing_errors"] == 0
    failed = {
        (check["check_id"], check["resource"].rpartition(".")[2])
        for check in report["results"]["failed_checks"]
    }
    unexplained = {
        (check, resource)
        for check, resource in failed
        if check not in EXCEPTIONS or resource not in ONLY.get(check, {resource})
    }
    assert unexplained == set()
    assert EXCEPTIONS.keys() == {check for check, _ in failed}, "an exception is not needed"
