"""The nets that engines are made for: how each is built, fed, exported and judged.

B batch, C channels, D depth, H/W px, K key-points (21).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from app.models.liveportrait import state_dict
from app.models.liveportrait.animator import Animator
from app.models.liveportrait.appearance import AppearanceExtractor
from app.models.liveportrait.decoder import Decoder
from app.models.liveportrait.motion import MotionExtractor
from app.models.liveportrait.stitching import Perceptron
from app.models.liveportrait.warping import WarpingNet
from app.models.puppet.renderer import PuppetNet
from app.models.renaming import RenamingTable, load_official
from app.models.wav2lip.generator import Wav2Lip
from app.models.wav2lip.painter import Painter
from app.models.wav2lip.state_dict import WAV2LIP
from app.runtime.embedded import controls_net, viseme_net

Weights = Callable[[str], Mapping[str, NDArray[Any]]]
"""The published tensors of a network under their official names."""

PEAK_TFLOPS = 790.0
"""Half-precision products on an H200 or H100, as measured on random data."""

SMALL = "stitching_retargeting_module/retarget_"
"""Where the official names of the three small nets begin."""


@dataclass(frozen=True, slots=True)
class Input:
    """One input of a net.

    Attributes:
        name: in the exported graph.
        shape: without the batch.
        dtype: of torch.
    """

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype = torch.float32


@dataclass(frozen=True, slots=True)
class Target:
    """What a frame may take at a batch size, ms."""

    batch: int
    required_ms: float | None = None
    goal_ms: float | None = None


class Draw:
    """Draws made-up values, batch by batch.

    Args:
        batch: of all that is drawn.
        seed: of all of it.
    """

    def __init__(self, batch: int, seed: int) -> None:
        self.batch = batch
        self._source = torch.Generator().manual_seed(seed)

    def normal(self, *shape: int) -> Tensor:
        """Return (B, *shape) float32 of deviation 1."""
        return torch.randn(self.batch, *shape, generator=self._source)

    def levels(self, *shape: int) -> Tensor:
        """Return (B, *shape) uint8."""
        return torch.randint(0, 256, (self.batch, *shape), generator=self._source).to(torch.uint8)


@dataclass(frozen=True, slots=True)
class NetSpec:
    """A net.

    Attributes:
        name: of the net here and on the command line.
        make: returns it with its weights, not folded; gives one tensor.
        draw: its made-up inputs.
        names: of its inputs in graphs, in order; none of an embedded net, which runs eagerly.
        float32: patterns of modules that stay in float32 where the net is in float16.
        narrow: indices of the inputs that are float16 then, once inside.
        gflop: of a frame, as published, 2 per multiply-add; 0 where nobody counted.
        targets: by batch; what `bench` times.
        largest: frames of its largest run in use.
    """

    name: str
    make: Callable[[Weights], nn.Module]
    draw: Callable[[Draw], tuple[Tensor, ...]]
    names: tuple[str, ...] = ()
    float32: tuple[str, ...] = ()
    narrow: tuple[int, ...] = ()
    gflop: float = 0.0
    targets: tuple[Target, ...] = ()
    largest: int = 32

    @property
    def floor_ms(self) -> float:
        """Return what the products of a frame alone take at a GPU's peak."""
        return self.gflop / PEAK_TFLOPS

    def net(self, weights: Weights) -> nn.Module:
        """Return the net with its weights, in eval mode, not folded.

        Raises:
            StateMismatch: tensors are not those of the net.
        """
        return self.make(weights).eval().requires_grad_(False)

    def samples(self, batch: int, seed: int = 0) -> tuple[Tensor, ...]:
        """Return made-up inputs, on the CPU."""
        return self.draw(Draw(batch, seed))

    def inputs(self) -> tuple[Input, ...]:
        """Return what graphs take."""
        return tuple(
            Input(name, tuple(each.shape[1:]), each.dtype)
            for name, each in zip(self.names, self.samples(1), strict=True)
        )


class WarpedFeature(nn.Module):
    """A `WarpingNet` that says the feature alone.

    Args:
        net: folded or not.
    """

    def __init__(self, net: WarpingNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, volume_BCDHW: Tensor, source_BK3: Tensor, driving_BK3: Tensor) -> Tensor:
        """Return (B, 256, 64, 64); see `WarpingNet.forward`."""
        return cast("Tensor", self.net(volume_BCDHW, source_BK3, driving_BK3).feature)


class MotionNumbers(nn.Module):
    """A `MotionExtractor` that says its fields side by side.

    Args:
        net: folded or not.
    """

    def __init__(self, net: MotionExtractor) -> None:
        super().__init__()
        self.net = net

    def forward(self, image_B3HW: Tensor) -> Tensor:
        """Return (B, 328), in the order of `Motion`; see `MotionExtractor.forward`."""
        return torch.cat(list(self.net(image_B3HW)), 1)


def _filled(net: nn.Module, table: RenamingTable, state: Mapping[str, NDArray[Any]]) -> None:
    load_official(net, table, {key: torch.from_numpy(value) for key, value in state.items()})


def _appearance(weights: Weights) -> AppearanceExtractor:
    net = AppearanceExtractor()
    _filled(net, state_dict.APPEARANCE, weights("appearance_feature_extractor"))
    return net


def _motion(weights: Weights) -> MotionNumbers:
    net = MotionExtractor()
    _filled(net, state_dict.MOTION, weights("motion_extractor"))
    return MotionNumbers(net)


def _warping(weights: Weights) -> WarpingNet:
    net = WarpingNet()
    _filled(net, state_dict.WARPING, weights("warping_module"))
    return net


def _decoder(weights: Weights) -> Decoder:
    net = Decoder()
    _filled(net, state_dict.DECODER, weights("spade_generator"))
    return net


def _painter(weights: Weights) -> Painter:
    net = Wav2Lip()
    _filled(net, WAV2LIP, weights("wav2lip"))
    return Painter(net)


def _perceptron(make: Callable[[], Perceptron], network: str) -> Callable[[Weights], Perceptron]:
    def made(weights: Weights) -> Perceptron:
        net = make()
        _filled(net, state_dict.STITCHING, weights(SMALL + network))
        return net

    return made


def _image(draw: Draw) -> tuple[Tensor, ...]:
    return (draw.levels(3, 256, 256).float() / 255,)


def _moved(draw: Draw) -> tuple[Tensor, ...]:
    points = 0.3 * draw.normal(21, 3)
    return 0.5 * draw.normal(32, 16, 64, 64), points, points + 0.05 * draw.normal(21, 3)


def _spoken(draw: Draw) -> tuple[Tensor, ...]:
    return draw.levels(96, 96, 3), draw.normal(80, 16).clamp(-4, 4)


def _mouths(draw: Draw) -> tuple[Tensor, ...]:
    places = (128 + 40 * draw.normal(478, 2)).clamp(8, 248)
    return draw.levels(256, 256, 3), places, draw.normal(80, 32).clamp(-4, 4)


def _heard(draw: Draw) -> tuple[Tensor, ...]:
    return (draw.normal(80, 32).clamp(-4, 4),)


def _puppets(draw: Draw) -> tuple[Tensor, ...]:
    slots = torch.arange(1024).expand(draw.batch, -1)
    return (
        *(draw.levels(3, 512, 512).float(), 0.05 * draw.normal(9, 33, 33)),
        *(1 + draw.normal(17, 1024).abs(), slots, 4 * draw.normal(3)),
        *(draw.normal(2).abs().clamp(max=1), draw.normal(4).clamp(-1, 1)),
    )


def _points(numbers: int) -> Callable[[Draw], tuple[Tensor, ...]]:
    return lambda draw: (0.3 * draw.normal(numbers),)


_POINTS = ("points",)
_MOVED_NAMES = ("volume", "source", "driving")

NETS: Mapping[str, NetSpec] = {
    spec.name: spec
    for spec in (
        NetSpec(
            "warping",
            lambda weights: WarpedFeature(_warping(weights)),
            _moved,
            _MOVED_NAMES,
            narrow=(0,),
            gflop=342.1,
            targets=(Target(1, 2.4, 1.5), Target(16, 1.7, 1.0)),
        ),
        NetSpec(
            "decoder",
            _decoder,
            lambda draw: (0.5 * draw.normal(256, 64, 64),),
            ("feature",),
            narrow=(0,),
            gflop=891.6,
            targets=(Target(1, 2.4, 1.6), Target(16, 1.7, 1.3)),
        ),
        NetSpec(
            "animator",
            lambda weights: Animator(_warping(weights), _decoder(weights)),
            _moved,
            _MOVED_NAMES,
            # Dense motion computes places in float32 by itself.
            narrow=(0,),
            gflop=1233.7,
            targets=(Target(1, 4.8, 3.1), Target(16, 3.4, 2.3)),
        ),
        NetSpec(
            "motion",
            _motion,
            _image,
            ("image",),
            # Angles are sums over 66 bins, and the responses' squares leave float16's range.
            float32=("net.norm", "net.heads", "net.stages.*.response"),
            narrow=(0,),
            gflop=11.6,
            targets=(Target(1, 0.9, 0.5), Target(16, 0.14, 0.08)),
        ),
        NetSpec(
            "appearance",
            _appearance,
            _image,
            ("image",),
            narrow=(0,),
            gflop=64.1,
            targets=(Target(1),),
            # Each portrait is looked at once, alone.
            largest=1,
        ),
        NetSpec(
            "wav2lip",
            _painter,
            _spoken,
            ("faces", "mel"),
            gflop=7.93,
            targets=(Target(1, 0.6, 0.35), Target(32, 0.06, 0.03)),
        ),
        NetSpec("puppet", lambda weights: PuppetNet(), _puppets, targets=(Target(1), Target(16))),
        NetSpec("viseme", lambda weights: viseme_net(), _mouths, targets=(Target(1), Target(32))),
        NetSpec("controls", lambda weights: controls_net(), _heard, ("mel",)),
        NetSpec(
            "stitching",
            _perceptron(Perceptron.shoulder, "shoulder"),
            _points(126),
            _POINTS,
            narrow=(0,),
        ),
        NetSpec("eyes", _perceptron(Perceptron.eye, "eye"), _points(66), _POINTS, narrow=(0,)),
        NetSpec("lips", _perceptron(Perceptron.lip, "mouth"), _points(65), _POINTS, narrow=(0,)),
    )
}
