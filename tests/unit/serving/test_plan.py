"""Configurations for any number of GPUs."""

from pathlib import Path

import pytest
import yaml
from ray.serve.schema import ServeDeploySchema

from app.serving.__main__ import main
from app.serving.plan import serve_config


def test_the_committed_configuration_is_the_one_without_gpus(root: Path) -> None:
    assert yaml.safe_load((root / "serve_config.yaml").read_text()) == serve_config(0)


@pytest.mark.parametrize("gpus", [0, 1, 2, 8])
def test_the_command_prints_what_ray_understands(
    gpus: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["config", "--gpus", str(gpus)]) == 0
    printed = yaml.safe_load(capsys.readouterr().out)
    assert printed == serve_config(gpus)
    ServeDeploySchema.model_validate(printed)


@pytest.mark.parametrize("gpus", [1, 2, 8])
def test_every_gpu_brings_both_models_and_four_cpus_are_enough_for_it(gpus: int) -> None:
    (application,) = serve_config(gpus)["applications"]
    by_name = {entry["name"]: entry for entry in application["deployments"]}
    for name in ("PortraitAnimator", "LipSync"):
        assert by_name[name]["num_replicas"] == gpus
        assert "runtime_env" not in by_name[name]["ray_actor_options"]
    assert "num_gpus" not in by_name["Ingress"]["ray_actor_options"]
    hidden = by_name["FaceAnalyzer"]["ray_actor_options"]["runtime_env"]["env_vars"]
    assert hidden == {"CUDA_VISIBLE_DEVICES": ""}
    cpus = [
        entry["num_replicas"] * entry["ray_actor_options"]["num_cpus"]
        for entry in application["deployments"]
    ]
    assert sum(cpus) <= 4 * gpus
    assert application["args"] == {}


def test_however_ray_packs_the_replicas_all_fit_and_every_gpu_keeps_room() -> None:
    (application,) = serve_config(1)["applications"]
    portrait, lips = (
        entry["ray_actor_options"]["num_gpus"]
        for entry in application["deployments"]
        if entry["name"] in ("PortraitAnimator", "LipSync")
    )
    assert 2 * portrait > 1, "two animators on one GPU leave another idle"
    assert portrait + 2 * lips <= 1, "on two GPUs all must fit in any order of their arrival"
    for portraits in range(8):
        for mouths in range(8):
            total = portraits * portrait + mouths * lips
            assert total <= 0.9 + 1e-9 or total > 1


@pytest.mark.parametrize(("cpus", "ingresses"), [(0, 4), (8, 4), (32, 16)])
def test_more_cpus_bring_more_ingress_replicas(
    cpus: int, ingresses: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["config", "--gpus", "2", "--cpus", str(cpus)]) == 0
    (application,) = yaml.safe_load(capsys.readouterr().out)["applications"]
    entries = application["deployments"]
    assert [e["num_replicas"] for e in entries if e["name"] == "Ingress"] == [ingresses]
    asked = [e["num_replicas"] * e["ray_actor_options"]["num_cpus"] for e in entries]
    assert sum(asked) <= max(8, cpus)
