"""The nets, filled by the rule that the parity fixtures were made with."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from app.models.liveportrait import state_dict
from app.models.liveportrait.appearance import AppearanceExtractor
from app.models.liveportrait.decoder import Decoder
from app.models.liveportrait.motion import MotionExtractor
from app.models.liveportrait.stitching import Perceptron
from app.models.liveportrait.warping import WarpingNet
from app.models.renaming import RenamingTable, load_official
from tests import parity

S = "stitching_retargeting_module"


class Published(NamedTuple):
    """How a published network is made here."""

    net: Callable[[], nn.Module]
    table: RenamingTable


PUBLISHED: Mapping[str, Published] = {
    "appearance_feature_extractor": Published(AppearanceExtractor, state_dict.APPEARANCE),
    "motion_extractor": Published(MotionExtractor, state_dict.MOTION),
    "warping_module": Published(WarpingNet, state_dict.WARPING),
    "spade_generator": Published(Decoder, state_dict.DECODER),
    f"{S}/retarget_shoulder": Published(Perceptron.shoulder, state_dict.STITCHING),
    f"{S}/retarget_eye": Published(Perceptron.eye, state_dict.STITCHING),
    f"{S}/retarget_mouth": Published(Perceptron.lip, state_dict.STITCHING),
}


def weights(module: str) -> dict[str, Tensor]:
    """Return the official state of a network."""
    return {key: torch.from_numpy(np.array(of)) for key, of in parity.weights(module).items()}


def filled(module: str) -> nn.Module:
    """Return a network of ours with those weights, in eval mode."""
    net = PUBLISHED[module].net()
    load_official(net, PUBLISHED[module].table, weights(module))
    return net.eval()


def inputs(fixture: str) -> dict[str, Tensor]:
    """Return the inputs of a fixture."""
    return {key: torch.from_numpy(of) for key, of in parity.Fixture(fixture).inputs.items()}


def assert_published(fixture: str, outputs: Mapping[str, Tensor]) -> None:
    """Compare with what the published code answered, at its tolerance."""
    arrays = {key: output.numpy() for key, output in outputs.items()}
    rows = parity.Fixture(fixture).compare(arrays)
    assert len(rows) == len(outputs)
    for row in rows:
        assert row.ok, row
