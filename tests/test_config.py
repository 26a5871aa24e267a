"""`serve_config.yaml` says only what Ray and the application understand."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError
from ray.serve.schema import ServeDeploySchema

from app.serving.build import build_app
from app.serving.plan import serve_config
from app.settings import AppArgs


def document(root: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((root / "serve_config.yaml").read_text())
    return content


def lost(asked: object, understood: object, path: str = "") -> list[str]:
    """Return the paths of keys that `asked` holds and `understood` does not."""
    if isinstance(asked, dict):
        if not isinstance(understood, dict):
            return [path]
        missing = [f"{path}.{key}" for key in asked if key not in understood]
        both = (key for key in asked if key in understood)
        return missing + [
            entry for key in both for entry in lost(asked[key], understood[key], f"{path}.{key}")
        ]
    if isinstance(asked, list):
        assert isinstance(understood, list)
        assert len(asked) == len(understood)
        pairs = enumerate(zip(asked, understood, strict=True))
        return [entry for i, (a, b) in pairs for entry in lost(a, b, f"{path}[{i}]")]
    return []


def test_ray_understands_every_key(root: Path) -> None:
    asked = document(root)
    schema = ServeDeploySchema.model_validate(asked)
    assert lost(asked, schema.model_dump(exclude_unset=True)) == []


@pytest.mark.parametrize("gpus", [1, 2, 8])
def test_ray_understands_every_key_of_a_plan_for_gpus(gpus: int) -> None:
    asked = serve_config(gpus)
    schema = ServeDeploySchema.model_validate(asked)
    assert lost(asked, schema.model_dump(exclude_unset=True)) == []
    (application,) = asked["applications"]
    AppArgs.model_validate(application["args"])


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["applications"][0]["deployments"][0].update(max_ongoing_request=1),
        lambda d: d["applications"][0].update(roote_prefix="/"),
        lambda d: d["http_options"].update(prot=1),
    ],
    ids=["deployment", "application", "http"],
)
def test_a_misspelt_key_is_noticed(root: Path, change: Any) -> None:  # noqa: ANN401
    asked = document(root)
    change(asked)
    schema = ServeDeploySchema.model_validate(asked)
    assert lost(asked, schema.model_dump(exclude_unset=True)) != []


def test_the_deployments_are_those_of_the_graph(root: Path) -> None:
    application = build_app(AppArgs())
    (configured,) = document(root)["applications"]
    deployment = application._bound_deployment
    bound = {deployment.name} | {
        argument._bound_deployment.name
        for argument in deployment.init_args
        if hasattr(argument, "_bound_deployment")
    }
    assert {entry["name"] for entry in configured["deployments"]} == bound
    AppArgs.model_validate(configured["args"])


def test_the_cpu_configuration_fits_two_cores(root: Path) -> None:
    (configured,) = document(root)["applications"]
    cpus = [
        entry["num_replicas"] * entry["ray_actor_options"]["num_cpus"]
        for entry in configured["deployments"]
    ]
    assert sum(cpus) <= 2


def test_unknown_arguments_are_refused() -> None:
    with pytest.raises(ValidationError):
        AppArgs.model_validate({"portriat": {}})
    with pytest.raises(ValidationError):
        AppArgs.model_validate({"portrait": {"variant": "nobody"}})
    with pytest.raises(ValidationError):
        AppArgs.model_validate({"face": {"threads": "2"}})


def test_a_yaml_of_every_setting_is_understood() -> None:
    document = yaml.safe_load(yaml.safe_dump(AppArgs().model_dump(mode="json")))
    document["weights"]["folder"] = "some/folder"
    args = AppArgs.model_validate(document)
    assert args.weights.folder == Path("some/folder")
    assert args.media == AppArgs().media


def test_ray_validates_the_builders_arguments() -> None:
    # Ray validates only if the annotation is a class; postponed annotations make it a string.
    assert build_app.__annotations__["args"] is AppArgs
