"""The nets that engines are made for: how each is built, fed and judged."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from app.models.liveportrait import state_dict
from app.models.liveportrait.animator import Animator
from app.models.liveportrait.appearance import AppearanceExtractor
from app.models.liveportrait.decoder import Decoder
from app.models.liveportrait.motion import MotionExtractor
from app.models.liveportrait.warping import WarpingNet
from app.models.puppet.renderer import PuppetNet
from app.models.renaming import RenamingTable, load_official
from app.models.viseme.net import VisemeNet
from app.models.wav2lip.generator import Wav2Lip
from app.models.wav2lip.painter import Painter
from app.models.wav2lip.state_dict import WAV2LIP
from app.runtime.fast.make import MotionNumbers, WarpedFeature

Weights = Callable[[str], Mapping[str, NDArray[Any]]]
"""The published tensors of a network under their official names."""

PEAK_TFLOPS = 790.0
"""Half-precision products on an H200 or H100, as measured on random data."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a frame may take at a batch size, ms."""

    batch: int
    required_ms: float | None = None
    goal_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """A net.

    Attributes:
        name: on the command line.
        make: returns it with its weights, not folded.
        work_gflop: of a frame, as published, 2 per multiply-add; 0 where nobody counted.
        targets: by batch.
    """

    name: str
    make: Callable[[Weights], nn.Module]
    work_gflop: float
    targets: tuple[Target, ...]

    @property
    def floor_ms(self) -> float:
        """Return what the products alone take at the machine's peak."""
        return self.work_gflop / PEAK_TFLOPS


def samples(net: nn.Module, batch: int, seed: int = 0) -> tuple[Tensor, ...]:
    """Return made-up inputs of a net that `Subject.make` returned, on the CPU."""
    source = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(batch, *shape, generator=source)

    def levels(*shape: int) -> Tensor:
        return torch.randint(0, 256, (batch, *shape), generator=source).to(torch.uint8)

    match net:
        case Animator() | WarpedFeature():
            points = 0.3 * normal(21, 3)
            return 0.5 * normal(32, 16, 64, 64), points, points + 0.05 * normal(21, 3)
        case Decoder():
            return (0.5 * normal(256, 64, 64),)
        case MotionNumbers() | AppearanceExtractor():
            return (levels(3, 256, 256).float() / 255,)
        case Painter():
            return levels(96, 96, 3), normal(80, 16).clamp(-4, 4)
        case VisemeNet():
            places = 128 + 40 * normal(478, 2)
            return levels(256, 256, 3), places.clamp(8, 248), normal(80, 16).clamp(-4, 4)
        case PuppetNet():
            slots = torch.arange(1024).expand(batch, -1)
            return (
                *(levels(3, 512, 512).float(), 0.05 * normal(5, 33, 33)),
                *(1 + normal(14, 1024).abs(), slots, 4 * normal(3), normal(2).abs().clamp(max=1)),
            )
    raise ValueError(f"no samples for a {type(net).__name__}")


def _filled(net: nn.Module, table: RenamingTable, state: Mapping[str, NDArray[Any]]) -> None:
    load_official(net, table, {key: torch.from_numpy(value) for key, value in state.items()})


def animator(weights: Weights) -> Animator:
    """Return warping and decoder in one, loaded, not folded."""
    warping, decoder = WarpingNet(), Decoder()
    _filled(warping, state_dict.WARPING, weights("warping_module"))
    _filled(decoder, state_dict.DECODER, weights("spade_generator"))
    return Animator(warping, decoder)


def appearance(weights: Weights) -> AppearanceExtractor:
    """Return the appearance extractor, loaded, not folded."""
    net = AppearanceExtractor()
    _filled(net, state_dict.APPEARANCE, weights("appearance_feature_extractor"))
    return net


def motion(weights: Weights) -> MotionNumbers:
    """Return the motion extractor, its fields side by side, loaded."""
    net = MotionExtractor()
    _filled(net, state_dict.MOTION, weights("motion_extractor"))
    return MotionNumbers(net)


def painter(weights: Weights) -> Painter:
    """Return Wav2Lip with pixels in and out, loaded, not folded."""
    net = Wav2Lip()
    _filled(net, WAV2LIP, weights("wav2lip"))
    return Painter(net)


def _warping(weights: Weights) -> WarpedFeature:
    net = WarpingNet()
    _filled(net, state_dict.WARPING, weights("warping_module"))
    return WarpedFeature(net)


def _decoder(weights: Weights) -> Decoder:
    net = Decoder()
    _filled(net, state_dict.DECODER, weights("spade_generator"))
    return net


SUBJECTS: Mapping[str, Subject] = {
    subject.name: subject
    for subject in (
        Subject("warping", _warping, 342.1, (Target(1, 2.4, 1.5), Target(16, 1.7, 1.0))),
        Subject("decoder", _decoder, 891.6, (Target(1, 2.4, 1.6), Target(16, 1.7, 1.3))),
        Subject("animator", animator, 1233.7, (Target(1, 4.8, 3.1), Target(16, 3.4, 2.3))),
        Subject("motion", motion, 11.6, (Target(1, 0.9, 0.5), Target(16, 0.14, 0.08))),
        Subject("appearance", appearance, 64.1, (Target(1), Target(16))),
        Subject("wav2lip", painter, 7.93, (Target(1, 0.6, 0.35), Target(32, 0.06, 0.03))),
        Subject("puppet", lambda weights: PuppetNet(), 0.0, (Target(1), Target(16))),
        Subject("viseme", lambda weights: VisemeNet(), 0.0, (Target(1), Target(32))),
    )
}
