"""Differences become whole configurations, and what is out of date is told."""

from pathlib import Path

import pytest
import yaml

from app.serving.__main__ import main
from app.serving.manifests import cluster_config, dump, merged


def test_dictionaries_merge_and_nothing_removes() -> None:
    base = {"a": {"b": 1, "c": 2}, "d": [1, 2]}
    assert merged(base, {"a": {"b": None, "e": 3}, "d": [4]}) == {"a": {"c": 2, "e": 3}, "d": [4]}


def test_a_new_dictionary_holds_no_nothing() -> None:
    assert merged({}, {"a": {"b": None, "c": 1}}) == {"a": {"c": 1}}


def test_lists_merge_by_name_in_their_own_order() -> None:
    base = [{"name": "x", "n": 1}, {"name": "y", "n": 2}]
    assert merged(base, [{"name": "y", "n": 3}]) == [{"name": "x", "n": 1}, {"name": "y", "n": 3}]


def test_an_entry_that_is_not_there_is_told() -> None:
    with pytest.raises(ValueError, match="There is no z"):
        merged([{"name": "x"}], [{"name": "z"}])


def test_several_lines_stay_readable() -> None:
    assert dump({"text": "a: 1\nb: 2\n"}) == "text: |\n  a: 1\n  b: 2\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    config = {"applications": [{"name": "x", "args": {}, "deployments": [{"name": "D", "n": 1}]}]}
    (tmp_path / "serve_config.yaml").write_text(yaml.safe_dump(config))
    for folder, n in (("base", 2), ("overlays/big", 3)):
        (tmp_path / "kuberay" / folder).mkdir(parents=True)
        change = {"applications": [{"name": "x", "deployments": [{"name": "D", folder[:2]: n}]}]}
        text = yaml.safe_dump(change)
        (tmp_path / "kuberay" / folder / "serve-differences.yaml").write_text(text)
    return tmp_path


def test_an_overlay_starts_from_the_base(checkout: Path) -> None:
    config = cluster_config(checkout / "serve_config.yaml", checkout / "kuberay/overlays/big")
    (deployment,) = config["applications"][0]["deployments"]
    assert deployment == {"name": "D", "n": 1, "ba": 2, "ov": 3}


def test_the_command_writes_once_and_tells_what_differs(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = ["--config", str(checkout / "serve_config.yaml")]
    places += ["--folder", str(checkout / "kuberay")]
    assert main(["manifests", *places, "--check"]) == 1
    assert not list(checkout.rglob("rayservice-serve.yaml"))
    assert main(["manifests", *places]) == 0
    written = sorted(checkout.rglob("rayservice-serve.yaml"))
    assert len(written) == 2
    capsys.readouterr()
    assert main(["manifests", *places, "--check"]) == 0
    assert capsys.readouterr().out == ""
    written[0].write_text(written[0].read_text() + "# by hand\n")
    assert main(["manifests", *places, "--check"]) == 1
    assert "base/rayservice-serve.yaml: differs" in capsys.readouterr().out
    patch = yaml.safe_load(written[1].read_text())
    assert patch["kind"] == "RayService"
    assert yaml.safe_load(patch["spec"]["serveConfigV2"])["applications"][0]["name"] == "x"
