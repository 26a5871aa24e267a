"""What can be set about face analysis."""

from pydantic import Field

from app.strict import Settings


class FaceConfig(Settings):
    """How faces are found and which are taken; the defaults suit still portraits."""

    max_side_px: int = Field(default=1280, ge=256)
    """Larger photos are searched in a copy with this longer side; its tiles show faces down to
    40 px of the copy, and most down to 32."""
    second_look_px: int = Field(default=4096, ge=256, le=16384)
    """If that copy shows no face, or only profiles, the photo is searched in tiles, shrunk to this
    longer side if that is larger; faces are found down to 40 px, and most down to 32."""
    short_range_score: float = Field(default=0.5, ge=0, le=1)
    """Least score of the detector for faces near the camera."""
    full_range_score: float = Field(default=0.6, ge=0, le=1)
    """Least score of the detector for far faces."""
    mesh_logit: float = Field(default=4, ge=-20, le=20)
    """Least logit of the mesh net that it looks at a face. Clear photos give about 20, very blurred
    ones 4 to 9, other things mostly less than 3."""
    overlap: float = Field(default=0.3, gt=0, lt=1)
    """Intersection over union above which two boxes are one face."""
    passes: int = Field(default=2, ge=1, le=4)
    """How often the mesh is fitted; each pass crops the face anew from the one before."""
    max_roll_deg: float = Field(default=75, gt=0, le=90)
    """A mesh tilted further is dropped: after some quarter turn, every face is tilted less."""
    max_faces: int = Field(default=8, ge=1, le=64)
    """So many faces, the largest, are told of."""
    min_face_px: int = Field(default=64, ge=16)
    """Least size of a face that can be animated: the longer side around its oval."""
    min_video_face_px: int = Field(default=32, ge=16)
    """Least size of the face in the video, measured in the same way."""
    max_yaw_deg: float = Field(default=50, gt=0, le=90)
    """A face turned further from the camera is refused; a three-quarter view is turned by 45."""
    threads: int = Field(default=1, ge=1, le=16)
    """Threads inside one run of a net."""
