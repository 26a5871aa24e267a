"""Real inputs of the published nets: a photo and speech, through face, media and variants.

Engines in INT8 are calibrated on them, and any engine can be judged by them.
"""

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.demo.run import demo_portrait, demo_speech
from app.errors import NoFace
from app.face.analyzer import FaceAnalyzer
from app.face.choice import PHOTO_HINT, face_px
from app.face.config import FaceConfig
from app.face.nets import FaceNets
from app.media.config import MediaConfig
from app.media.image import decode_portrait, fit
from app.media.loudness import Loudness
from app.media.mel import log_mel, mel_levels, mel_windows, speech_windows
from app.media.resample import Resampler
from app.media.samples import decode_mono
from app.pipeline.motion import idle_motion
from app.values import SPEECH_HZ, FaceMesh, Portrait
from app.variants.calibration import animator_frames, wav2lip_frames
from app.variants.config import MEL_WINDOWS
from app.variants.liveportrait.nets import load_nets
from app.weights.store import WeightStore

FRAMES = 16
LONGER_SIDE_PX = 512
FILMED = ("wav2lip", "animator", "controls")
"""Nets of which there are frames."""

Weights = Callable[[str], Mapping[str, NDArray[Any]]]


def footage(
    name: str, weights: Weights, portrait: bytes | None = None, speech: bytes | None = None
) -> tuple[Tensor, ...]:
    """Return frames of a net's inputs: 16 spread over a recording, of `controls` all of it.

    Args:
        name: of `FILMED`.
        weights: of the published nets; the animator's frames need its neighbours.
        portrait: a photo with a face; the demo's if absent.
        speech: a recording; the demo's if absent.

    Raises:
        AppError: a file is not taken, there is no face, or the face nets are not there.
    """
    samples = _at_16_khz(speech or demo_speech())
    if name == "controls":
        return (torch.from_numpy(_heard(samples)),)
    picture, mesh = sitter(portrait or demo_portrait())
    levels = log_mel(samples)
    # 80 steps of the spectrum are a second.
    rate = Fraction(FRAMES * 80, levels.shape[1])
    motion = idle_motion(FRAMES, rate, seed=1)
    if name == "wav2lip":
        return wav2lip_frames(picture, mesh, motion, mel_windows(levels, FRAMES, rate))
    return animator_frames(load_nets(weights, "cpu"), picture, mesh, motion)


def _heard(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (T, 80, 32) float32, what the mouth-shape net hears of a recording."""
    loudness = Loudness()
    loudness.push(samples)
    rate = Fraction(25)
    frames, window = len(samples) * rate // SPEECH_HZ, MEL_WINDOWS["viseme"]
    return speech_windows(
        mel_levels(samples), loudness.gain_db(), rate, 0, int(frames), window=window
    )


def _at_16_khz(data: bytes) -> NDArray[np.float32]:
    samples, rate_hz = decode_mono(data)
    resampler = Resampler(1, rate_hz, 16_000)
    parts = [resampler.push(samples[None]), resampler.flush()]
    return np.asarray(np.concatenate(parts, axis=1)[0], np.float32)


def sitter(data: bytes) -> tuple[Portrait, FaceMesh]:
    """Return a photo and the mesh of its largest face.

    Raises:
        AppError: the file is not taken, there is no face, or the face nets are not there.
    """
    decoded = decode_portrait(data, MediaConfig())
    picture = fit(decoded.portrait, LONGER_SIDE_PX).portrait
    faces = FaceAnalyzer(FaceNets.locate(WeightStore().path), FaceConfig()).analyze(picture.pixels)
    if not faces:
        raise NoFace("The photo shows no face.", PHOTO_HINT)
    return picture, max(faces, key=lambda mesh: face_px(mesh.points))
