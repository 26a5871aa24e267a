"""LivePortrait's nets, loaded and folded, as functions between numpy arrays.

T frames, K key points (21).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from app.models.folding import folded
from app.models.liveportrait import state_dict
from app.models.liveportrait.appearance import AppearanceExtractor
from app.models.liveportrait.motion import MotionExtractor
from app.models.liveportrait.stitching import Perceptron
from app.models.renaming import RenamingTable, load_official
from app.runtime.choice import best_engine
from app.runtime.config import RuntimeConfig
from app.runtime.engine import Engine
from app.runtime.subjects import animator
from app.variants.liveportrait.motion import FaceMotion, extracted
from app.variants.liveportrait.retargeting import Net, Retargeting

Floats = NDArray[np.float32]
Weights = Callable[[str], Mapping[str, NDArray[Any]]]
Module = TypeVar("Module", bound=nn.Module)

CHUNK_FRAMES = 1
"""Frames of one run on a CPU, where each takes seconds."""

GPU_CHUNK_FRAMES = 16


@dataclass(frozen=True, slots=True)
class Nets:
    """What `LivePortrait` computes with.

    Attributes:
        appearance: (1, 3, 256, 256) float32 RGB in [0, 1] to the volume (1, 32, 16, 64, 64), on
            the animator's device.
        motion: the same picture to its motion, T = 1.
        retargeting: the three small nets.
        animator: runs an `app.models.liveportrait.animator.Animator`.
    """

    appearance: Callable[[Floats], torch.Tensor]
    motion: Callable[[Floats], FaceMotion]
    retargeting: Retargeting
    animator: Engine


def load_nets(weights: Weights, device: str, runtime: RuntimeConfig | None = None) -> Nets:
    """Return the nets on a device; frames are drawn by the engine that the settings ask for.

    Args:
        weights: the published tensors of a network under their official names.
        device: of torch; the small nets stay on the CPU.
        runtime: settings of engines.

    Raises:
        StateMismatch: tensors are not those of a net.
        NotReady: the settings insist on an engine that does not hold here.
    """
    appearance = _loaded(
        AppearanceExtractor(), state_dict.APPEARANCE, weights("appearance_feature_extractor")
    ).to(device)
    motion = _loaded(MotionExtractor(), state_dict.MOTION, weights("motion_extractor")).to(device)
    small = "stitching_retargeting_module/retarget_"
    retargeting = Retargeting(
        stitching=_small(Perceptron.shoulder(), weights(small + "shoulder")),
        eyes=_small(Perceptron.eye(), weights(small + "eye")),
        lips=_small(Perceptron.lip(), weights(small + "mouth")),
    )
    chunk_frames = CHUNK_FRAMES if device == "cpu" else GPU_CHUNK_FRAMES

    def look(image: Floats) -> torch.Tensor:
        with torch.inference_mode():
            volume: torch.Tensor = appearance(torch.from_numpy(image).to(device))
        return volume

    def see(image: Floats) -> FaceMotion:
        with torch.inference_mode():
            said = motion(torch.from_numpy(image).to(device))
        return extracted(*(np.asarray(part.float().cpu().numpy(), np.float32) for part in said))

    net, settings = animator(weights), runtime or RuntimeConfig()
    chosen = best_engine("animator", net, device, settings, chunk_frames)
    return Nets(look, see, retargeting, chosen.engine)


def _loaded(net: Module, table: RenamingTable, state: Mapping[str, NDArray[Any]]) -> Module:
    load_official(net, table, {key: torch.from_numpy(value) for key, value in state.items()})
    return folded(net)


def _small(net: Perceptron, state: Mapping[str, NDArray[Any]]) -> Net:
    """Return a small net as a function of numpy arrays, on the CPU."""
    loaded = _loaded(net, state_dict.STITCHING, state)

    def run(inputs: Floats) -> Floats:
        with torch.inference_mode():
            answer: Floats = loaded(torch.from_numpy(inputs)).numpy()
        return answer

    return run
