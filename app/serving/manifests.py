"""Serve configurations of clusters: `serve_config.yaml`, changed as a folder of `kuberay/` says.

A folder holds its differences in `serve-differences.yaml`; what comes out is the patch
`rayservice-serve.yaml` beside it, which puts the whole configuration into the RayService. Overlays
start from what `base` made.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from app.settings import AppArgs

DIFFERENCES = "serve-differences.yaml"
PATCH = "rayservice-serve.yaml"
SERVICE = "digital-human"

WRITTEN = f"# Written by `python -m app.serving manifests` from {DIFFERENCES}.\n"


class Plain(yaml.SafeDumper):
    """Writes repeated values and texts of several lines out, as people do."""

    def ignore_aliases(self, data: object) -> bool:
        """Return True for everything."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


Plain.add_representer(str, _text)


def dump(document: object) -> str:
    """Return a document as YAML, its keys in their own order."""
    return yaml.dump(document, Dumper=Plain, sort_keys=False)


def merged(base: Any, changes: Any) -> Any:  # noqa: ANN401
    """Return a YAML value with changes applied.

    Dictionaries merge by key, and lists of things that have a `name` by that; None removes a key;
    anything else replaces what was there.

    Raises:
        ValueError: a change names a list's entry that `base` does not have.
    """
    if isinstance(base, dict) and isinstance(changes, dict):
        both = base | {key: merged(base.get(key), change) for key, change in changes.items()}
        return {key: value for key, value in both.items() if value is not None}
    if _is_named(base) and _is_named(changes):
        wanted = {entry["name"]: entry for entry in changes}
        known = {entry["name"] for entry in base}
        if strange := wanted.keys() - known:
            raise ValueError(f"There is no {', '.join(sorted(strange))}: {sorted(known)}.")
        return [merged(entry, wanted.get(entry["name"], {})) for entry in base]
    if isinstance(changes, dict):
        return merged({}, changes)
    return changes


def _is_named(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(e, dict) and "name" in e for e in value)


def folders(kuberay: Path) -> list[Path]:
    """Return the folders of `kuberay/` that say how they differ, `base` first."""
    return [path.parent for path in sorted(kuberay.glob(f"**/{DIFFERENCES}"))]


def cluster_config(config: Path, folder: Path) -> dict[str, Any]:
    """Return the Serve configuration of one folder.

    Args:
        config: `serve_config.yaml`.
        folder: `kuberay/base`, or a folder in `kuberay/overlays`.

    Raises:
        ValueError: differences name a deployment that does not exist, or settings are none.
    """
    document: dict[str, Any] = yaml.safe_load(config.read_text())
    base = folder if folder.name == "base" else folder.parents[1] / "base"
    for step in dict.fromkeys((base, folder)):
        document = merged(document, yaml.safe_load((step / DIFFERENCES).read_text()))
    for application in document["applications"]:
        AppArgs.model_validate(application["args"])
    return document


def patches(config: Path, kuberay: Path) -> Iterator[tuple[Path, str]]:
    """Yield every patch's path, and what it is to hold."""
    for folder in folders(kuberay):
        patch = {
            "apiVersion": "ray.io/v1",
            "kind": "RayService",
            "metadata": {"name": SERVICE},
            "spec": {"serveConfigV2": dump(cluster_config(config, folder))},
        }
        yield folder / PATCH, WRITTEN + dump(patch)
