"""The published nets as engines run them: tensors in, one tensor out, normalisations folded."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from app.models.folding import folded
from app.models.liveportrait import state_dict
from app.models.liveportrait.animator import Animator
from app.models.liveportrait.appearance import AppearanceExtractor
from app.models.liveportrait.decoder import Decoder
from app.models.liveportrait.motion import MotionExtractor
from app.models.liveportrait.spade import SpectralConv
from app.models.liveportrait.stitching import Perceptron
from app.models.liveportrait.warping import WarpingNet, gather_volume
from app.models.renaming import RenamingTable, load_official
from app.models.wav2lip.generator import Wav2Lip
from app.models.wav2lip.painter import Painter
from app.models.wav2lip.state_dict import WAV2LIP

Weights = Callable[[str], Mapping[str, NDArray[Any]]]
"""The published tensors of a network under their official names."""


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

    def example(self, batch: int, seed: int = 0) -> Tensor:
        """Return made-up values (batch, *shape): levels, or normal ones of deviation 0.3."""
        source = torch.Generator().manual_seed(seed)
        if self.dtype == torch.uint8:
            return torch.randint(0, 256, (batch, *self.shape), generator=source).to(self.dtype)
        values = torch.randn((batch, *self.shape), generator=source) * 0.3
        return values.to(self.dtype)


@dataclass(frozen=True, slots=True)
class NetSpec:
    """How a net is made for an engine.

    Attributes:
        name: of the net here.
        networks: official names of the networks whose weights it takes, in `build`'s order.
        build: takes their weights; returns the folded net in eval mode, one tensor out.
        inputs: in order; the first dimension of each is the batch.
        float32: patterns of modules that stay in float32 where the net is in float16.
        narrow: indices of the inputs that are float16 then, once inside.
    """

    name: str
    networks: tuple[str, ...]
    build: Callable[..., nn.Module]
    inputs: tuple[Input, ...]
    float32: tuple[str, ...] = ()
    narrow: tuple[int, ...] = ()

    def net(self, weights: Weights) -> nn.Module:
        """Return the net with its weights.

        Raises:
            StateMismatch: tensors are not those of the net.
        """
        return self.build(*(weights(network) for network in self.networks)).requires_grad_(False)

    def example(self, batch: int, seed: int = 0) -> tuple[Tensor, ...]:
        """Return made-up inputs."""
        return tuple(each.example(batch, seed + index) for index, each in enumerate(self.inputs))


class FlatMotion(nn.Module):
    """The motion extractor with its seven fields side by side, in the order of `Motion`.

    Args:
        net: the extractor.
    """

    def __init__(self, net: MotionExtractor) -> None:
        super().__init__()
        self.net = net

    def forward(self, image_B3HW: Tensor) -> Tensor:
        """Return (B, 328) of images (B, 3, 256, 256), RGB in [0, 1]."""
        return torch.cat(list(self.net(image_B3HW)), 1)


def _loaded(net: nn.Module, table: RenamingTable, state: Mapping[str, NDArray[Any]]) -> nn.Module:
    load_official(net, table, {key: torch.from_numpy(value) for key, value in state.items()})
    return folded(net)


def _animator(warping: Mapping[str, Any], decoder: Mapping[str, Any]) -> nn.Module:
    warp = WarpingNet()
    # No runtime but RTX samples volumes without a plugin; the look-ups run everywhere.
    warp.warp = gather_volume
    warp_folded = _loaded(warp, state_dict.WARPING, warping)
    decoder_folded = _loaded(Decoder(), state_dict.DECODER, decoder)
    assert isinstance(warp_folded, WarpingNet)
    assert isinstance(decoder_folded, Decoder)
    return Animator(warp_folded, _plain(decoder_folded)).eval()


def _plain(decoder: Decoder) -> Decoder:
    """Return the folded decoder with its spectral convolutions as what they are by now.

    Converters and quantisers know `nn.Conv2d`, not what is derived from it.
    """
    for name, spectral in list(decoder.named_modules()):
        if not isinstance(spectral, SpectralConv):
            continue
        assert spectral.normalised
        conv = nn.Conv2d(
            spectral.in_channels,
            spectral.out_channels,
            (spectral.kernel_size[0], spectral.kernel_size[1]),
            padding=spectral.kernel_size[0] // 2,
            bias=spectral.bias is not None,
        )
        conv.weight, conv.bias = spectral.weight, spectral.bias
        parent, _, child = name.rpartition(".")
        setattr(decoder.get_submodule(parent), child, conv)
    return decoder


def _appearance(state: Mapping[str, Any]) -> nn.Module:
    return _loaded(AppearanceExtractor(), state_dict.APPEARANCE, state)


def _motion(state: Mapping[str, Any]) -> nn.Module:
    net = _loaded(MotionExtractor(), state_dict.MOTION, state)
    assert isinstance(net, MotionExtractor)
    return FlatMotion(net).eval()


def _wav2lip(state: Mapping[str, Any]) -> nn.Module:
    net = Wav2Lip()
    load_official(net, WAV2LIP, {key: torch.from_numpy(value) for key, value in state.items()})
    return Painter(folded(net)).eval()


def _perceptron(make: Callable[[], Perceptron]) -> Callable[[Mapping[str, Any]], nn.Module]:
    return lambda state: _loaded(make(), state_dict.STITCHING, state)


_IMAGE = Input("image", (3, 256, 256))
_SMALL = "stitching_retargeting_module/retarget_"

NETS: Mapping[str, NetSpec] = {
    spec.name: spec
    for spec in (
        NetSpec(
            "appearance", ("appearance_feature_extractor",), _appearance, (_IMAGE,), narrow=(0,)
        ),
        NetSpec(
            "motion",
            ("motion_extractor",),
            _motion,
            (_IMAGE,),
            # Angles are sums over 66 bins, and the responses' squares leave float16's range.
            float32=("net.norm", "net.heads", "net.stages.*.response"),
            narrow=(0,),
        ),
        NetSpec(
            "animator",
            ("warping_module", "spade_generator"),
            _animator,
            # Dense motion computes places in float32 by itself.
            (
                Input("volume", (32, 16, 64, 64)),
                Input("source", (21, 3)),
                Input("driving", (21, 3)),
            ),
            narrow=(0,),
        ),
        NetSpec(
            "wav2lip",
            ("wav2lip",),
            _wav2lip,
            (Input("faces", (96, 96, 3), torch.uint8), Input("mel", (80, 16))),
        ),
        NetSpec(
            "stitching",
            (f"{_SMALL}shoulder",),
            _perceptron(Perceptron.shoulder),
            (Input("points", (126,)),),
            narrow=(0,),
        ),
        NetSpec(
            "eyes",
            (f"{_SMALL}eye",),
            _perceptron(Perceptron.eye),
            (Input("points", (66,)),),
            narrow=(0,),
        ),
        NetSpec(
            "lips",
            (f"{_SMALL}mouth",),
            _perceptron(Perceptron.lip),
            (Input("points", (65,)),),
            narrow=(0,),
        ),
    )
}
