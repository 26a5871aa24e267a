"""The values that cross rooms: frozen dataclasses over numpy arrays.

T frames of a group, H/W pixels (W also steps of a mel window), S mel steps, K mesh points (478).
Image coordinates: x right, y down, in pixels, origin at the top-left corner of the image, so that
the centre of the first pixel is (0.5, 0.5).
"""

import hashlib
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

SPEECH_HZ = 16_000
MESH_POINTS = 478
BLENDSHAPES = 52


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """A decoded photo: (H, W, 3) uint8, RGB, contiguous; H and W even once at output size."""

    pixels: NDArray[np.uint8]

    def digest(self) -> str:
        """Return the hex SHA-256 of shape and pixels: equal photos have equal digests."""
        head = repr(self.pixels.shape).encode()
        return hashlib.sha256(head + np.ascontiguousarray(self.pixels).data).hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class FaceMesh:
    """One face of an image.

    Attributes:
        points: (478, 3) float32; x, y in image px; z in the same unit, smaller is nearer to the
            camera, about 0 at the head's centre. Points 468-477 are the irises.
        blendshapes: (52,) float32 in [0, 1], order of MediaPipe's face blendshapes (0 neutral).
        score: confidence in [0, 1].
    """

    points: NDArray[np.float32]
    blendshapes: NDArray[np.float32]
    score: float

    def scaled(self, x: float, y: float) -> "FaceMesh":
        """Return this mesh in an image resized by the factors `x` and `y`; z follows `x`."""
        factors = np.array([x, y, x], np.float32)
        return FaceMesh(self.points * factors, self.blendshapes, self.score)


@dataclass(frozen=True, slots=True, eq=False)
class FaceQuery:
    """Where faces are looked for.

    Attributes:
        pixels: (H, W, 3) uint8 RGB.
        only_tiles: look only piece by piece, because a smaller copy showed no face already.
    """

    pixels: NDArray[np.uint8]
    only_tiles: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """What the video's sound track plays, still in its file; `app.media.sound` reads it.

    Attributes:
        data: the file, sound or video.
        rate_hz: of the samples as they will be heard.
        channels: 1 or 2.
        num_samples: of each channel, as the file has them.
        delay_samples: silence before the first of them; if negative, so many of them are dropped.
        keeps_gaps: whether silence takes the place of time without samples in the file;
            `num_samples` then counts it, too.
    """

    data: bytes = field(repr=False)
    rate_hz: int
    channels: int
    num_samples: int
    delay_samples: int = 0
    keeps_gaps: bool = False

    @property
    def duration_s(self) -> Fraction:
        """Media time from the start, silence before the sound included, to its end, in seconds."""
        return Fraction(max(0, self.delay_samples + self.num_samples), self.rate_hz)


@dataclass(frozen=True, slots=True, eq=False)
class VideoFile:
    """An uploaded video, still in its file, and what its picture track holds.

    Attributes:
        data: the file.
        width: px, even, upright and with square pixels; an odd last column is not counted.
        height: px, even, likewise.
        fps: nominal rate of the pictures in Hz, in [1, 60]; of a variable rate the average, of
            less or more than that the nearest end.
        start_s: media time of the first picture in its container, which sound may precede.
        duration_s: media time from the first picture to past the last, in seconds.
    """

    data: bytes = field(repr=False)
    width: int
    height: int
    fps: Fraction
    start_s: Fraction
    duration_s: Fraction


@dataclass(frozen=True, slots=True, eq=False)
class Speech:
    """A recording, for the models and for the ear.

    Attributes:
        levels: (80, S) float32, mel levels in dB, 80 steps/s, before floor and scale.
        gain_db: what brings the speech to one level.
        sound: the same recording as it will be heard.
    """

    levels: NDArray[np.float32]
    gain_db: float
    sound: Sound


@dataclass(frozen=True, slots=True)
class MelWindow:
    """Which steps of the log-mel a lip-sync model hears for a frame; 80 steps are a second.

    Attributes:
        before: how many steps before the frame's own the window starts, >= 0.
        steps: of the window, W; more than `before`.
    """

    before: int
    steps: int


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """How the head moves, one row per frame.

    Attributes:
        pose: (T, 3) float32, degrees away from the photo: yaw (positive turns the nose to the
            image's right), pitch (positive nods the nose down), roll (positive turns clockwise
            as seen).
        closure: (T, 2) float32 in [0, 1], how far each eye is shut beyond the photo: the eye on
            the image's left, the eye on the image's right.
        gesture: (T, 4) float32: gaze to the image's right and downwards, degrees away from the
            photo's; how far the brows are raised, in [0, 1]; breath, in [-1, 1]. None is none.
    """

    pose: NDArray[np.float32]
    closure: NDArray[np.float32]
    gesture: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.pose)

    def __getitem__(self, frames: slice) -> "Motion":
        gesture = self.gesture if self.gesture is None else self.gesture[frames]
        return Motion(self.pose[frames], self.closure[frames], gesture)

    @property
    def gestures(self) -> NDArray[np.float32]:
        """The gesture, (T, 4); zeros where there is none."""
        none = np.zeros((len(self), 4), np.float32)
        return none if self.gesture is None else self.gesture


@dataclass(frozen=True, slots=True, eq=False)
class FrameGroup:
    """Consecutive frames of one session.

    Attributes:
        pixels: (T, H, W, 3) uint8 RGB.
        points: (T, 478, 2) float32, where each mesh point is in each frame, image px.
        seen: (T,) bool, which frames show the face; None if all do.
    """

    pixels: NDArray[np.uint8]
    points: NDArray[np.float32]
    seen: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class LipGroup:
    """Mouth crops of consecutive frames of one session, and the speech that goes with them.

    Attributes:
        crops: (T, S, S, 3) uint8 RGB, cut by `app.pipeline.mouth`; `wav2lip` takes S of
            its `crop_px` only, `viseme` any.
        points: (T, 478, 2) float32, the mesh points in crop px.
        mel: (T, 80, W) float32 in [-4, 4], the log-mel window of each frame; which steps it holds
            is the model's.
    """

    crops: NDArray[np.uint8]
    points: NDArray[np.float32]
    mel: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.crops)


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Which model serves a role, as `GET /v1/models` shows it.

    Attributes:
        role: "face", "portrait" or "lips".
        variant: the model's name.
        backend: the engine that runs it.
        precision: of its arithmetic or weights.
        licence: SPDX identifier of code and weights.
        embedded: True if it ships with this product and needs no download.
        device: where it runs: "cpu" or "cuda".
        weights: "published", or "seeded" where they are made-up numbers for tests and load runs;
            "embedded" for what ships with this product.
    """

    role: str
    variant: str
    backend: str
    precision: str
    licence: str
    embedded: bool
    device: str = "cpu"
    weights: str = "embedded"
