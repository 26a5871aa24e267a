"""What the README says about Kubernetes can be done."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from app.api.key_file import KeyFile
from tests.kuberay.dockerfile import stages
from tests.kuberay.rendered import FOLDERS, ROOT, deployments, workers

BIN = Path(sys.executable).parent


def block(marker: str, language: str) -> str:
    text = (ROOT / "README.md").read_text()
    found = re.search(rf"<!-- {marker} -->\n```{language}\n(.*?)```", text, re.S)
    assert found
    return found[1]


def section() -> str:
    text = (ROOT / "README.md").read_text()
    return text[text.index("## Kubernetes") : text.index("## What it costs")]


def test_a_kustomization_of_ones_own_changes_every_image(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "kuberay", tmp_path / "kuberay")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "kustomization.yaml").write_text(block("own-kustomization", "yaml"))
    command = [str(BIN / "kubectl"), "kustomize", str(tmp_path / "mine")]
    built = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    images = set(re.findall(r"image: (\S*digital-human\S*)", built.stdout))
    assert {image.rpartition(":")[0] for image in images} == {"registry.example/digital-human"}
    assert {image.rpartition("-")[2] for image in images} == {"cpu", "cuda"}


def test_the_secrets_are_made_as_it_says(tmp_path: Path) -> None:
    lines = block("secrets", "bash").splitlines()
    lines = [line for line in lines if not line.startswith("kubectl apply")]  # wants a cluster
    dry = [
        f"{line} --dry-run=client -o yaml > secret-{i}.yaml" if line.startswith("kubectl") else line
        for i, line in enumerate(lines)
    ]
    script = "\n".join(dry).replace(".venv/bin/python", sys.executable)
    variables = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    variables["KUBECONFIG"] = str(tmp_path / "none")
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    assert "Key, shown this once: dh_" in ran.stderr
    (key,) = KeyFile(tmp_path / "keys.yaml").current()
    assert key.name == "alice"
    secrets = [yaml.safe_load(path.read_text()) for path in sorted(tmp_path.glob("secret-*.yaml"))]
    assert [secret["metadata"]["name"] for secret in secrets] == [
        "digital-human-api-keys",
        "digital-human-redis",
    ]
    assert [set(secret["data"]) for secret in secrets] == [{"keys.yaml"}, {"password"}]


def test_its_overlays_are_those_that_there_are() -> None:
    told = re.findall(r"^\| `([a-z-]+)` \|", section(), re.M)
    assert {f"overlays/{name}" for name in told} | {"base"} == set(FOLDERS)


def test_its_images_are_targets_and_its_arguments_are_known() -> None:
    targets = re.findall(r"--target (\w+) .*--tag digital-human:\S+-(\w+)", section())
    assert targets == [("cpu", "cpu"), ("cuda", "cuda")]
    known = {rest.partition("=")[0] for stage in stages().values() for rest in stage.all("ARG")}
    assert set(re.findall(r"--build-arg (\w+)=", section())) <= known


@pytest.mark.parametrize("folder", ["base", "overlays/several-gpus"])
def test_its_arithmetic_is_that_of_the_manifests(folder: str) -> None:
    text, by_name = section(), deployments(folder)
    animator = by_name["PortraitAnimator"]
    assert f"{animator['ray_actor_options']['num_gpus']} of the GPU and `LipSync`" in text
    assert f"`LipSync` {by_name['LipSync']['ray_actor_options']['num_gpus']}," in text
    target = animator["autoscaling_config"]["target_ongoing_requests"]
    assert f"`target_ongoing_requests: {target}`" in text
    idle = {name: group["idleTimeoutSeconds"] for name, group in workers(folder).items()}
    assert idle == {"cpu": 2 * 60, "gpu": 5 * 60}
    delays = {name: one["autoscaling_config"]["downscale_delay_s"] for name, one in by_name.items()}
    assert delays["Ingress"] == 5 * 60
    assert delays["PortraitAnimator"] == delays["LipSync"] == 10 * 60


def test_its_numbers_follow_from_the_benchmark() -> None:
    text = (ROOT / "README.md").read_text()
    rows = ("LivePortrait, warping, 16", "LivePortrait, decoder, 16", "Wav2Lip, 32")
    found = [re.search(rf"\| {row} \|.*?\*\*([\d.]+)\*\* \|", text) for row in rows]
    frame_ms = sum(float(match[1]) for match in found if match)
    assert len([match for match in found if match]) == 3
    assert round(frame_ms, 1) == 2.3
    assert f"= {frame_ms:.1f} ms at large batches" in section()
    assert round(80 * 25 * 2.3 / 800) == 6
    assert int(1000 / frame_ms / 25) == 17
    assert 1000 / frame_ms >= 430
    assert f"each at 430 / 4 = {430 / 4:.0f} frames a second" in section()
