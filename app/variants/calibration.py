"""Real frames to calibrate engines on: a portrait and speech, taken through the variants.

T frames. Nothing is rendered but by the puppet; each net's inputs are recorded on their way.
"""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.runtime.recording import Recorder
from app.values import FaceMesh, LipGroup, Motion, Portrait
from app.variants.liveportrait.model import LivePortrait
from app.variants.liveportrait.nets import Nets
from app.variants.puppet import Puppet
from app.variants.wav2lip.model import Wav2LipModel
from app.variants.wav2lip.whole_face import WholeFace

Floats = NDArray[np.float32]


def wav2lip_frames(
    portrait: Portrait, mesh: FaceMesh, motion: Motion, mel_TMS: Floats
) -> tuple[Tensor, ...]:
    """Return what Wav2Lip's painter is given for a moving portrait that speaks.

    Args:
        portrait: with one face.
        mesh: of that face.
        motion: T frames; the puppet makes them.
        mel_TMS: (T, 80, 16) float32, the speech of each.

    Returns:
        (T, 96, 96, 3) uint8 RGB faces, and (T, 80, 16) float32.
    """
    puppet, crops = Puppet(), WholeFace()
    (moved,) = puppet.animate([(puppet.prepare(portrait, mesh), motion)])
    faces = crops.cut(moved.pixels, crops.place(moved.points))
    recorder = Recorder((96, 96, 3), torch.uint8)
    Wav2LipModel(recorder, "seeded", "").paint([LipGroup(faces, moved.points, mel_TMS)])
    return recorder.frames()


def animator_frames(
    nets: Nets, portrait: Portrait, mesh: FaceMesh, motion: Motion
) -> tuple[Tensor, ...]:
    """Return what LivePortrait's animator is given for a portrait and a motion.

    Args:
        nets: appearance, motion and retargeting are run; the animator is not.
        portrait: with one face.
        mesh: of that face.
        motion: T frames.

    Returns:
        (T, 32, 16, 64, 64) the volume, and source and driving key-points, (T, 21, 3) each.
    """
    recorder = Recorder((512, 512, 3), torch.uint8)
    model = LivePortrait(replace(nets, animator=recorder), "seeded", "")
    model.animate([(model.prepare(portrait, mesh), motion)])
    return recorder.frames()
