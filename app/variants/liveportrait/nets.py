"""LivePortrait's nets, loaded and folded, as functions between numpy arrays.

T frames, K key points (21).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from app.models.folding import folded
from app.models.liveportrait.motion import HEADS
from app.runtime.choice import best_engine
from app.runtime.config import RuntimeConfig
from app.runtime.engine import Engine
from app.runtime.nets import NETS, Weights
from app.variants.liveportrait.motion import FaceMotion, extracted
from app.variants.liveportrait.retargeting import Net, Retargeting

Floats = NDArray[np.float32]

CHUNK_FRAMES = 1
"""Frames of one run on a CPU, where each takes seconds."""

GPU_CHUNK_FRAMES = 16


@dataclass(frozen=True, slots=True)
class Nets:
    """What `LivePortrait` computes with.

    Attributes:
        appearance: (1, 3, 256, 256) float32 RGB in [0, 1] to the volume (1, 32, 16, 64, 64), on
            the animator's device.
        motion: the same picture to its motion; of any number T.
        retargeting: the three small nets.
        animator: runs an `app.models.liveportrait.animator.Animator`.
    """

    appearance: Callable[[Floats], torch.Tensor]
    motion: Callable[[Floats], FaceMotion]
    retargeting: Retargeting
    animator: Engine


def load_nets(weights: Weights, device: str, runtime: RuntimeConfig | None = None) -> Nets:
    """Return the nets on a device; run by the engines that the settings ask for.

    Args:
        weights: the published tensors of a network under their official names.
        device: of torch; the small nets stay on the CPU.
        runtime: settings of engines.

    Raises:
        StateMismatch: tensors are not those of a net.
        NotReady: the settings insist on an engine that does not hold here.
    """
    settings = runtime or RuntimeConfig()
    chunk_frames = CHUNK_FRAMES if device == "cpu" else GPU_CHUNK_FRAMES

    def engine(name: str, chunk_frames: int | None = None) -> Engine:
        return best_engine(name, NETS[name].net(weights), device, settings, chunk_frames).engine

    appearance, motion = engine("appearance"), engine("motion")
    animator = engine("animator", chunk_frames)

    def look(image: Floats) -> torch.Tensor:
        return appearance.run(torch.from_numpy(image)).to(animator.device)

    def see(image: Floats) -> FaceMotion:
        numbers: Floats = motion.run(torch.from_numpy(image)).numpy()
        return extracted(*np.split(numbers, np.cumsum(HEADS)[:-1], axis=1))

    retargeting = Retargeting(*(_small(name, weights) for name in ("stitching", "eyes", "lips")))
    return Nets(look, see, retargeting, animator)


def _small(name: str, weights: Weights) -> Net:
    """Return a small net as a function of numpy arrays, on the CPU."""
    loaded = folded(NETS[name].net(weights))

    def run(inputs: Floats) -> Floats:
        with torch.inference_mode():
            answer: Floats = loaded(torch.from_numpy(inputs)).numpy()
        return answer

    return run
