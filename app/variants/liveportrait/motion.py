"""What a face does in LivePortrait's terms, frame by frame.

T frames, K key points (21).
"""

from dataclasses import dataclass

from app.driving import HeadMotion
from app.variants.liveportrait.pose import Floats, degrees, rotations, transform


@dataclass(frozen=True, slots=True, eq=False)
class FaceMotion(HeadMotion):
    """Movement of one face.

    Attributes:
        kp: (T, 21, 3) or (1, 21, 3) float32, canonical key points.
    """

    kp: Floats

    def __getitem__(self, frames: slice) -> "FaceMotion":
        kp = self.kp if len(self.kp) == 1 else self.kp[frames]
        return FaceMotion(
            self.rotation[frames], self.exp[frames], self.scale[frames], self.t[frames], kp
        )

    def key_points(self) -> Floats:
        """Return where the key points stand in each frame: (T, 21, 3) float32."""
        return transform(self.kp, self.rotation, self.exp, self.scale, self.t)


def extracted(
    pitch_TB: Floats,
    yaw_TB: Floats,
    roll_TB: Floats,
    t_T3: Floats,
    exp: Floats,
    scale_T1: Floats,
    kp: Floats,
) -> FaceMotion:
    """Return what the motion extractor saw.

    Args:
        pitch_TB: (T, 66) float32 logits; so are `yaw_TB` and `roll_TB`.
        yaw_TB: turn about y.
        roll_TB: turn about z.
        t_T3: (T, 3) float32.
        exp: (T, 63) or (T, 21, 3) float32; so is `kp`.
        scale_T1: (T, 1) float32.
        kp: canonical key points.
    """
    rotation = rotations(degrees(pitch_TB), degrees(yaw_TB), degrees(roll_TB))
    return FaceMotion(rotation, exp.reshape(-1, 21, 3), scale_T1, t_T3, kp.reshape(-1, 21, 3))
