"""The published net of 203 face points, `landmark.onnx`, on the CPU.

It sees a 224 px crop that other points frame, here those of our own face mesh. Pixel centres are
at whole numbers. Source: LivePortrait@1986663 src/utils/human_landmark_runner.py.
"""

from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime

from app.errors import WeightsError
from app.variants.liveportrait.crop import LANDMARKS, cut, inverse, moved, squares
from app.variants.liveportrait.landmarks import Floats, Landmarks, Pixels, mesh_landmarks

POINTS: Final = 203
INPUT_PX: Final = 224

_INPUT: Final = "input"
_ANSWER: Final = 2
"""Place of the points among the net's outputs; the others are not used."""


class LandmarkNet:
    """Finds the 203 points of a face that its mesh leads to; callable from any thread.

    Args:
        file: the ONNX file. It is run once here, so that a wrong one is told at start.

    Raises:
        WeightsError: the file cannot be run, or is another net.
    """

    def __init__(self, file: Path) -> None:
        self._name = file.name
        options = onnxruntime.SessionOptions()
        # A portrait needs one run; replicas share their cores with others.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3  # below, it warns of every GPU it does not use
        try:
            self._session = onnxruntime.InferenceSession(
                file, options, providers=["CPUExecutionProvider"]
            )
            self._run(np.zeros((INPUT_PX, INPUT_PX, 3), np.uint8))
        except WeightsError:
            raise
        except Exception as error:  # its errors have no class in common
            raise self._other_net(str(error)) from error

    def __call__(self, pixels_HW3: Pixels, mesh_K2: Floats) -> Floats:
        """Return the points of the face: (203, 2) float32 px of the picture.

        Args:
            pixels_HW3: (H, W, 3) uint8 RGB, the picture.
            mesh_K2: (478, 2) float32 px, the mesh of the face in it, of `mesh_points`.
        """
        matrices = squares(mesh_K2[None], LANDMARKS).matrices(INPUT_PX)
        found = self._run(cut([pixels_HW3], matrices, INPUT_PX)[0])
        points: Floats = moved(found[None], inverse(matrices))[0]
        return points

    def _run(self, crop_SS3: Pixels) -> Floats:
        """Return the points in a crop: (203, 2) float32 crop px.

        Raises:
            WeightsError: this is another net.
        """
        image = crop_SS3.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255)
        answers = self._session.run(None, {_INPUT: image})
        if len(answers) <= _ANSWER:
            raise self._other_net(f"it has {len(answers)} outputs")
        points = np.asarray(answers[_ANSWER], np.float32)
        if points.size != 2 * POINTS:
            raise self._other_net(f"its points are of shape {points.shape}")
        return points.reshape(POINTS, 2) * np.float32(INPUT_PX)

    def _other_net(self, why: str) -> WeightsError:
        return WeightsError(
            f"{self._name} is not the published net of {POINTS} face points: {why}.",
            "Run: python -m app.weights fetch liveportrait; if it is there, update onnxruntime.",
        )


def find_landmarks(file: Path | None) -> Landmarks:
    """Return what finds the points that LivePortrait crops and measures a face by.

    Args:
        file: the published net's; without it the mesh's own points do.

    Raises:
        WeightsError: as `LandmarkNet`.
    """
    return mesh_landmarks if file is None else LandmarkNet(file)
