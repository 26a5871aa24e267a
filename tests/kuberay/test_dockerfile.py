"""The Dockerfile agrees with the project, the manifests and what the operator expects."""

import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from tests.kuberay.dockerfile import copied, environment, labels, lineage, stages
from tests.kuberay.rendered import FOLDERS, ROOT, containers, pods

TARGETS = ("cpu", "cuda")
each_target = pytest.mark.parametrize("target", TARGETS)


def project() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return found


def runs(target: str) -> list[str]:
    return [run for stage in lineage(target) for run in stage.all("RUN")]


def admitted(path: str) -> bool:
    """Return whether the build may see a path of the checkout."""
    lines = (ROOT / "kuberay" / "Dockerfile.dockerignore").read_text().splitlines()
    return path.removeprefix("./") in {line[1:] for line in lines if line.startswith("!")}


def test_what_is_copied_exists_and_reaches_the_build() -> None:
    for stage in stages().values():
        for source in copied(stage):
            assert (ROOT / source).exists(), source
            assert admitted(source), source


def test_stages_and_what_is_copied_between_them_exist() -> None:
    names = stages().keys()
    assert set(TARGETS) <= names
    for stage in stages().values():
        for rest in stage.all("COPY"):
            if found := re.search(r"--from=(\S+)", rest):
                assert found[1] in names


def test_pip_installs_what_the_project_pins() -> None:
    ranges = {Requirement(text).name: text for text in project()["dependencies"]}
    extras = project()["optional-dependencies"]
    found = []
    for stage in stages().values():
        for run in stage.all("RUN"):
            if not run.startswith("pip install"):
                continue
            assert "--no-cache-dir" in run
            plain = re.sub(r"\$\{[^}]*\}|\$\w+", "", run)
            wanted = [word for word in shlex.split(plain)[2:] if not word.startswith("-")]
            for word in wanted:
                if word.startswith("."):
                    assert all(extra in extras for extra in re.findall(r"[\w-]+", word))
                else:
                    assert word == ranges[Requirement(word).name]
                found.append(word)
    assert sorted(found) == [".[export,tracing]", ".[tracing]", ranges["torch"], ranges["torch"]]


@each_target
def test_it_brings_what_probes_need_and_no_compiler_on_a_cpu(target: str) -> None:
    installed = " ".join(runs(target)).split()
    assert {"bash", "grep", "wget"} <= set(installed)
    assert ("gcc" in installed) == (target == "cuda")
    # What builds the environment stays behind; only the environment itself is taken over.
    assert all("pip install" not in run for run in runs(target))


@each_target
def test_it_is_no_root_and_the_manifests_run_it_as_the_same_user(target: str) -> None:
    stage = stages()[target]
    (user,) = stage.all("USER")
    uid, _, gid = user.partition(":")
    after = stage.instructions[[word for word, _ in stage.instructions].index("USER") + 1 :]
    assert not {"RUN", "COPY", "USER"} & {word for word, _ in after}
    created = " ".join(stages()["base"].all("RUN"))
    assert f"groupadd --gid {gid}" in created
    assert f"useradd --uid {uid}" in created
    for folder in FOLDERS:
        for name, pod in pods(folder):
            if name != "digital-human-redis":
                context = pod["spec"]["securityContext"]
                assert (context["runAsUser"], context["runAsGroup"]) == (int(uid), int(gid))


@each_target
def test_volumes_lie_where_the_image_looks(target: str) -> None:
    variables = environment(target)
    store = Path(variables["XDG_CACHE_HOME"]) / "digital-human"
    assert variables["HOME"] == "/tmp"
    for folder in FOLDERS:
        for _, pod in pods(folder):
            for container in containers(pod):
                if "digital-human:" not in container["image"]:
                    continue
                mounts = {m["name"]: m["mountPath"] for m in container["volumeMounts"]}
                places = {"weights": str(store / "weights"), "engines": str(store / "engines")}
                assert all(mounts[name] == places[name] for name in places.keys() & mounts.keys())
                assert "/tmp" in mounts.values()
                for variable in container.get("env", []):
                    if variable["name"] in variables:
                        assert variable["value"] == variables[variable["name"]]


@each_target
def test_ray_asks_for_a_token_and_the_proxy_has_our_middleware(target: str) -> None:
    variables = environment(target)
    assert variables["RAY_AUTH_MODE"] == "token"
    assert variables["RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH"] == "app.serving.edge:middlewares"
    assert variables["RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S"] == "3"


@each_target
def test_its_version_is_that_of_the_manifests(target: str) -> None:
    version = labels(target)["org.opencontainers.image.version"]
    images = {
        container["image"]
        for _, pod in pods("overlays/several-gpus")
        for container in containers(pod)
    }
    assert f"digital-human:{version}" in images
    assert version.endswith(target)


@each_target
def test_it_says_whether_it_is_well_and_starts_the_server(target: str) -> None:
    stage = stages()[target]
    (health,) = stage.all("HEALTHCHECK")
    probe = json.loads(health.partition("CMD ")[2])
    assert probe[:2] == ["/bin/bash", "-c"]
    assert "/-/healthz" in probe[2]
    assert json.loads(stage.all("ENTRYPOINT")[0]) == ["tini", "--"]
    command = json.loads(stage.all("CMD")[0])
    assert command[:2] == ["serve", "run"]
    made = {Path(source).name for source in copied(stage)}
    made |= {run.rpartition("> ")[2] for run in stage.all("RUN") if "> " in run}
    assert command[2] in made
