"""What a published checkpoint holds: its official keys, types and shapes, kept as data.

Facts about files that others publish, read from layouts/*.json beside this module; the nets and
their own names for parameters live in app/models. A name is that of a network: three networks share
one file, hence `stitching_retargeting_module/retarget_eye`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

Shape = tuple[int, ...]

NETWORKS: Final = (
    "appearance_feature_extractor",
    "motion_extractor",
    "warping_module",
    "spade_generator",
    "stitching_retargeting_module/retarget_shoulder",
    "stitching_retargeting_module/retarget_mouth",
    "stitching_retargeting_module/retarget_eye",
    "wav2lip",
    "lipsync_expert",
)


@dataclass(frozen=True, slots=True)
class TensorLayout:
    """One entry of a checkpoint.

    Attributes:
        dtype: "float32" or "int64".
        shape: () for a scalar.
    """

    dtype: str
    shape: Shape


@dataclass(frozen=True, slots=True)
class Layout:
    """What the checkpoint of one network holds.

    Attributes:
        network: one of NETWORKS.
        container: keys to follow from the top of the official file to the network's entries.
        tensors: by official key without any `module.` prefix, in the official order.
    """

    network: str
    container: tuple[str, ...]
    tensors: Mapping[str, TensorLayout]


def layout(network: str) -> Layout:
    """Return the layout of one of NETWORKS.

    Raises:
        ValueError: no such network.
    """
    if network not in NETWORKS:
        raise ValueError(f"no layout of a network named {network!r}")
    file = files("app.weights") / "layouts" / f"{network.replace('/', '.')}.json"
    data = json.loads(file.read_text(encoding="ascii"))
    tensors = {
        key: TensorLayout(dtype, tuple(shape)) for key, (dtype, shape) in data["tensors"].items()
    }
    return Layout(network, tuple(data["container"]), tensors)
