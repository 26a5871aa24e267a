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
def test_every_gpu_holds_a_whole_pipeline_and_room_to_spare(gpus: int) -> None:
    (application,) = serve_config(gpus)["applications"]
    by_name = {entry["name"]: entry for entry in application["deployments"]}
    models = [by_name["PortraitAnimator"], by_name["LipSync"]]
    assert sum(entry["ray_actor_options"]["num_gpus"] for entry in models) <= 0.9
    assert all(entry["num_replicas"] == gpus for entry in models)
    for name in ("Ingress", "FaceAnalyzer"):
        assert "num_gpus" not in by_name[name]["ray_actor_options"]
    assert all("runtime_env" not in entry["ray_actor_options"] for entry in models)
