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
    # If any two fit, 2 n replicas fit on n GPUs in any order of their arrival.
    assert 2 * max(portrait, lips) <= 1
    for portraits in range(8):
        for mouths in range(8):
            total = portraits * portrait + mouths * lips
            assert total <= 0.9 + 1e-9 or total > 1
