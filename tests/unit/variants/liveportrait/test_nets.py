"""Pictures through our nets and what surrounds them, beside the published pipeline.

The nets are the heaviest of all tests, so they are built once here; of the rendered clip one
frame goes through the warping net and the decoder.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from app.driving import TransferSettings
from app.models.liveportrait import state_dict
from app.models.liveportrait.appearance import AppearanceExtractor
from app.models.liveportrait.decoder import Decoder
from app.models.liveportrait.motion import MotionExtractor
from app.models.liveportrait.warping import WarpingNet
from app.models.renaming import RenamingTable
from app.variants.liveportrait.crop import SOURCE, cut, inverse, squares
from app.variants.liveportrait.image import to_inputs, to_pictures
from app.variants.liveportrait.motion import FaceMotion, extracted
from app.variants.liveportrait.paste import paste, place
from app.variants.liveportrait.pose import degrees
from app.variants.liveportrait.ratios import eye_ratios, lip_ratios
from app.variants.liveportrait.retargeting import Retargeting
from app.variants.liveportrait.transfer import (
    Openings,
    adjusted,
    driven,
    reference,
)
from tests.parity import Fixture, weights
from tests.unit.variants.liveportrait.parity import check, motion

Floats = NDArray[np.float32]
CLIP_FRAME = 3


def loaded(net: nn.Module, table: RenamingTable, module: str) -> nn.Module:
    official = {key: torch.from_numpy(array) for key, array in weights(module).items()}
    net.load_state_dict(table.to_ours(official))
    return net.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def nets() -> Mapping[str, nn.Module]:
    return {
        "F": loaded(AppearanceExtractor(), state_dict.APPEARANCE, "appearance_feature_extractor"),
        "M": loaded(MotionExtractor(), state_dict.MOTION, "motion_extractor"),
        "W": loaded(WarpingNet(), state_dict.WARPING, "warping_module"),
        "G": loaded(Decoder(), state_dict.DECODER, "spade_generator"),
    }


def run(net: nn.Module, *arrays: NDArray[Any]) -> Any:  # noqa: ANN401
    """Return a net's answer to arrays: a tensor, or a named tuple of tensors."""
    return net(*(torch.from_numpy(np.ascontiguousarray(array)) for array in arrays))


def seen(nets: Mapping[str, nn.Module], inputs: Floats) -> tuple[FaceMotion, dict[str, Floats]]:
    """Return the motion in a picture, and its angles in degrees."""
    answer = run(nets["M"], inputs)
    angles = {name: degrees(getattr(answer, name).numpy()) for name in ("pitch", "yaw", "roll")}
    names = ("pitch", "yaw", "roll", "t", "exp", "scale", "kp")
    return extracted(*(getattr(answer, name).numpy() for name in names)), angles


def test_a_picture_animated_by_another_equals_the_published(
    nets: Mapping[str, nn.Module], retargeting: Retargeting
) -> None:
    fixture = Fixture("chain")
    source_input = to_inputs([fixture.inputs["source"]])
    driving_input = to_inputs([fixture.inputs["driving"]])
    (source, source_angles), (driving, driving_angles) = (
        seen(nets, inputs) for inputs in (source_input, driving_input)
    )
    x_s, x_d = source.key_points(), driving.key_points()
    stitched = retargeting.stitched(x_s, x_d)
    feature = run(nets["F"], source_input).numpy()
    warped = run(nets["W"], feature, x_s, stitched)
    frame = run(nets["G"], warped.feature.numpy()).numpy()
    found = {
        **{
            f"{name}.{key}": value
            for name, one in (("source", source), ("driving", driving))
            for key, value in (
                ("t", one.t),
                ("exp", one.exp),
                ("scale", one.scale),
                ("kp", one.kp),
                ("R", one.rotation),
                ("x", one.key_points()),
            )
        },
        **{f"source.{name}": angle for name, angle in source_angles.items()},
        **{f"driving.{name}": angle for name, angle in driving_angles.items()},
        "feature_3d": feature,
        "x_d_stitched": stitched,
        "occlusion_map": warped.occlusion.numpy(),
        "deformation": warped.deformation.numpy(),
        "frame": frame,
        "frame_u8": to_pictures(frame),
    }
    check(fixture.compare(found))


def test_a_rendered_clip_equals_the_published(
    nets: Mapping[str, nn.Module], retargeting: Retargeting
) -> None:
    fixture = Fixture("rendered_clip")
    picture, points = fixture.inputs["picture"], fixture.inputs["landmarks"][None]
    settings = TransferSettings(shut_lips=True)
    matrices = squares(points, SOURCE).matrices()
    source_input = to_inputs(list(cut([picture], matrices)))
    (source, _), driving = seen(nets, source_input), motion(fixture.inputs)
    openings = Openings(eye_ratios(points), lip_ratios(points))
    moved = driven(source, driving, reference(driving, settings), settings)
    x_d = adjusted(source, moved, settings, retargeting, openings)
    check(fixture.compare({"x_s": source.key_points(), "x_d": x_d}))

    feature = run(nets["F"], source_input).numpy()
    warped = run(nets["W"], feature, source.key_points(), x_d[CLIP_FRAME : CLIP_FRAME + 1])
    (face,) = to_pictures(run(nets["G"], warped.feature.numpy()).numpy())
    mask = (Fixture("crop").inputs["mask"][:, :, 0] / 255).astype(np.float32)
    (frame,) = paste(place(picture, inverse(matrices)[0], mask), [face])
    for name, result in (("frames", face), ("pasted", frame)):
        assert error_of_one(fixture, name, result) <= fixture.allowed[name]


def error_of_one(fixture: Fixture, name: str, picture: NDArray[np.uint8]) -> float:
    """Return the largest error of the samples that a fixture keeps of `CLIP_FRAME`."""
    stride = 211
    places = np.arange(len(fixture.expected[name])) * stride
    inside = places // picture.size == CLIP_FRAME
    assert inside.sum() > 1000
    expected = fixture.expected[name][inside].astype(int)
    return float(np.abs(picture.reshape(-1)[places[inside] % picture.size] - expected).max())
