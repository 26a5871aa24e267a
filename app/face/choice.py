"""Which face of an image is animated, and whether it can be."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.errors import FaceTooSmall, FaceTurnedAway, NoFace
from app.face.config import FaceConfig
from app.head_pose import yaw_deg
from app.topology import FACE_OVAL
from app.values import FaceMesh

PHOTO_HINT = (
    "Use a sharp, frontal, well-lit photo of a person, with the whole face visible and filling "
    "at least a fifth of the picture's height."
)


def face_px(points: NDArray[np.float32]) -> float:
    """Return the longer side of the box around the face's oval, px.

    Args:
        points: (478, 2 or more) px.
    """
    oval = points[list(FACE_OVAL), :2]
    return float((oval.max(axis=0) - oval.min(axis=0)).max())


def is_profile(mesh: FaceMesh, config: FaceConfig) -> bool:
    """Return whether a mesh is one that the net doubts; the analyzer keeps such as profiles."""
    return mesh.score < 1 / (1 + math.exp(-config.mesh_logit))


def check_size(mesh: FaceMesh, config: FaceConfig) -> None:
    """Check that a face has pixels enough in the video.

    Args:
        mesh: in px of the video.
        config: the limit.

    Raises:
        FaceTooSmall: smaller than `min_video_face_px`.
    """
    size_px = face_px(mesh.points)
    if size_px < config.min_video_face_px:
        raise FaceTooSmall(
            f"The face would be {size_px:.0f} px high in the video; "
            f"at least {config.min_video_face_px} are needed.",
            "Ask for a larger `size`, or cut the photo around the face.",
        )


def choose(
    meshes: Sequence[FaceMesh], face_index: int | None = None, config: FaceConfig | None = None
) -> FaceMesh:
    """Return the face to animate.

    Args:
        meshes: largest first, as `FaceAnalyzer.analyze` gives them.
        face_index: 0 for the largest, and so on; the largest if absent.
        config: limits of size and turn; the defaults if absent.

    Raises:
        NoFace: no face, or not that many.
        FaceTooSmall: smaller than `min_face_px`.
        FaceTurnedAway: turned by more than `max_yaw_deg`, or a profile, as the analyzer says.
    """
    limits = config or FaceConfig()
    index = face_index or 0
    if not meshes:
        raise NoFace("No face was found in the portrait.", PHOTO_HINT)
    if not 0 <= index < len(meshes):
        raise NoFace(
            f"Faces found: {len(meshes)}. There is none with face_index {index}.",
            f"Faces are counted from 0, largest first: use 0 to {len(meshes) - 1}.",
        )
    chosen = meshes[index]
    size_px = face_px(chosen.points)
    if size_px < limits.min_face_px:
        raise FaceTooSmall(
            f"The face is {size_px:.0f} px high; at least {limits.min_face_px} are needed.",
            "Use the original if this is a reduced copy, or a photo taken from nearer.",
        )
    if is_profile(chosen, limits) or abs(yaw_deg(chosen.points)) > limits.max_yaw_deg:
        raise FaceTurnedAway(
            "The face is turned too far from the camera.",
            "Use a photo in which the person looks towards the camera: both eyes must be seen.",
        )
    return chosen
