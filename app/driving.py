"""Driving motions: the values that carry a face's movement from one face to another.

T frames, K key points (21), P mesh points (478), S crop px (256). Rotations, key points and
expressions are those of LivePortrait's key-point space: key points are row vectors (x right, y
down, z inwards), and matrices multiply from the right.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Region = Literal["exp", "pose", "lip", "eyes", "all"]

DRIVING_PX = 256
"""Side of the crops in which driving faces are watched, px."""


@dataclass(frozen=True, slots=True, eq=False)
class HeadMotion:
    """Movement without the shape of what moves, as a driving sequence has it.

    Attributes:
        rotation: (T, 3, 3) float32.
        exp: (T, 21, 3) float32, the expression, as changes of canonical key points.
        scale: (T, 1) float32, > 0.
        t: (T, 3) float32; its depth is never used.
    """

    rotation: Floats
    exp: Floats
    scale: Floats
    t: Floats

    def __len__(self) -> int:
        return len(self.rotation)

    def __getitem__(self, frames: slice) -> "HeadMotion":
        return HeadMotion(
            self.rotation[frames], self.exp[frames], self.scale[frames], self.t[frames]
        )


@dataclass(frozen=True, slots=True, eq=False)
class Performance:
    """What a driving face does: its movement, and how far its eyes and lips are open.

    Attributes:
        motion: T frames.
        eyes: (T, 2) float32, opening over width of the image's left and right eye; None if the
            sequence does not say.
        lips: (T, 1) float32, the same of the lips, or None.
    """

    motion: HeadMotion
    eyes: Floats | None = None
    lips: Floats | None = None

    def __len__(self) -> int:
        return len(self.motion)

    def __getitem__(self, frames: slice) -> "Performance":
        eyes, lips = (part if part is None else part[frames] for part in (self.eyes, self.lips))
        return Performance(self.motion[frames], eyes, lips)

    def rows(self) -> Floats:
        """Return all of it as (T, 79) float32, openings that are not known as NaN."""
        frames, motion = len(self), self.motion
        eyes = np.full((frames, 2), np.nan) if self.eyes is None else self.eyes
        lips = np.full((frames, 1), np.nan) if self.lips is None else self.lips
        parts = (motion.rotation, motion.exp, motion.scale, motion.t, eyes, lips)
        flat = [part.reshape(frames, math.prod(part.shape[1:])) for part in parts]
        return np.concatenate(flat, axis=1, dtype=np.float32)

    @classmethod
    def of_rows(cls, rows_T79: Floats) -> "Performance":
        """Return what `rows` made rows of; rotations become orthogonal again."""
        frames = len(rows_T79)
        rotation, exp, scale, t, eyes, lips = np.split(rows_T79, (9, 72, 73, 76, 78), axis=1)
        motion = HeadMotion(
            orthogonal(rotation.reshape(frames, 3, 3)), exp.reshape(frames, 21, 3), scale, t
        )
        known = [None if np.isnan(part).any() else part for part in (eyes, lips)]
        return cls(motion, *known)


@dataclass(frozen=True, slots=True, eq=False)
class DrivingFaces:
    """Faces of consecutive frames of one driving video.

    Attributes:
        crops: (T, 256, 256, 3) uint8 RGB, upright squares around the face.
        points: (T, 478, 3) float32, the mesh in crop px, pixel centres at .5.
        rotation: (T, 3, 3) float32, how the heads are turned as the mesh shows it.
    """

    crops: NDArray[np.uint8]
    points: Floats
    rotation: Floats

    def __len__(self) -> int:
        return len(self.crops)


@dataclass(frozen=True, slots=True)
class TransferSettings:
    """How a driving motion is transferred.

    Attributes:
        region: what follows it; "lip" and "eyes" are parts of "exp", the expression.
        relative: changes since the driving's first frame are added to the source; else the
            driving's own pose and expression replace the source's.
        multiplier: of all movement, >= 0, stitching and retargeting included.
        stitching: keep the shoulders where they are.
        shut_lips: shut lips that are open in the source before they move; relative motion only.
        keep_eyes: hold a source video's eyes as open as in its first frame.
        retarget_eyes: set the eyes' opening to the driving's, whatever the movement did to it.
        retarget_lips: the same for the lips.
        as_published: repeat two faults: relative retargeting drops the driving motion, and a
            single driving motion's eyes are taken relative to nothing.
    """

    region: Region = "all"
    relative: bool = True
    multiplier: float = 1.0
    stitching: bool = True
    shut_lips: bool = False
    keep_eyes: bool = False
    retarget_eyes: bool = False
    retarget_lips: bool = False
    as_published: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Driven:
    """A run of a driving performance, and how it is to be followed.

    Attributes:
        performance: T frames.
        first: T = 1, what relative movement is measured from.
        settings: of the transfer.
    """

    performance: Performance
    first: Performance
    settings: TransferSettings

    def __len__(self) -> int:
        return len(self.performance)

    def __getitem__(self, frames: slice) -> "Driven":
        return Driven(self.performance[frames], self.first, self.settings)


def orthogonal(matrices_T33: Floats) -> Floats:
    """Return the rotations nearest to the matrices: (T, 3, 3) float32."""
    left, _, right = np.linalg.svd(matrices_T33.astype(np.float64))
    left[:, :, 2] *= np.linalg.det(left @ right)[:, None]
    return np.asarray(left @ right, np.float32)
