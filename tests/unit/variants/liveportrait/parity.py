"""What the parity tests here share: the small nets in numpy, and the motions of the fixtures."""

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.variants.liveportrait import pose
from app.variants.liveportrait.motion import FaceMotion
from app.variants.liveportrait.retargeting import Net, Retargeting
from tests.parity import FOLDER, Row, weights

Inputs = dict[str, NDArray[Any]]


def settings_of(fixture: str) -> dict[str, dict[str, Any]]:
    """Return a fixture's settings by name, each filled up with what holds unless set."""
    spec = json.loads((FOLDER / "fixtures" / "index.json").read_text())[fixture]
    return {name: {**spec["unless_set"], **own} for name, own in spec["settings"].items()}


def check(rows: list[Row]) -> None:
    """Fail with every row that is out of its tolerance."""
    assert rows
    assert not [row for row in rows if not row.ok]


def perceptron(name: str) -> Net:
    """Return one of the three small nets under rule R: linear layers and rectifiers."""
    state = weights(f"stitching_retargeting_module/{name}")
    numbers = sorted({int(key.split(".")[1]) for key in state})

    def run(x: NDArray[np.float32]) -> NDArray[np.float32]:
        for number in numbers:
            x = x @ state[f"mlp.{number}.weight"].T + state[f"mlp.{number}.bias"]
            x = x if number == numbers[-1] else np.maximum(x, 0)
        return x

    return run


def retargeting_nets() -> Retargeting:
    return Retargeting(
        stitching=perceptron("retarget_shoulder"),
        eyes=perceptron("retarget_eye"),
        lips=perceptron("retarget_mouth"),
    )


def motion(inputs: Inputs, prefix: str = "") -> FaceMotion:
    """Return the motion that a fixture's inputs describe by angles in degrees."""
    pitch, yaw, roll, exp, scale, t, kp = (
        inputs[prefix + name] for name in ("pitch", "yaw", "roll", "exp", "scale", "t", "kp")
    )
    return FaceMotion(pose.rotations(pitch, yaw, roll), exp, scale, t, kp)
