"""The whole face in its stretched box, as Wav2Lip is shown it: an `app.pipeline.session.Crops`."""

import numpy as np
from numpy.typing import NDArray

from app.variants.wav2lip.boxes import face_boxes
from app.variants.wav2lip.crop import cut, paste, transforms

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]


class WholeFace:
    """Boxes around known mesh points: nothing is detected anew, so nothing jitters."""

    def place(self, points_TK2: Floats) -> Floats:
        """Return (T, 2, 3) float32, image px to crop px."""
        return transforms(face_boxes(points_TK2))

    def cut(self, pixels_THW3: Pixels, transforms: Floats) -> Pixels:
        """Return the faces, (T, 96, 96, 3) uint8 RGB."""
        return cut(list(pixels_THW3), transforms)

    def blend(
        self, pixels_THW3: Pixels, crops_in: Pixels, crops_out: Pixels, transforms: Floats
    ) -> Pixels:
        """Return frames whose lower faces fade into the painted ones."""
        return np.stack(paste(list(pixels_THW3), crops_out, transforms))
