import re

from app.weights.manifest import MANIFEST


def test_names_are_unique_and_stay_inside_the_store() -> None:
    names = [file.name for file in MANIFEST]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+/[a-z0-9_.]+", name) for name in names)


def test_every_file_and_origin_is_pinned_by_digest() -> None:
    for file in MANIFEST:
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
        assert re.fullmatch(
            r"[a-z-]+==[0-9.]+ --hash=sha256:[0-9a-f]{64}", file.origin.wheel.requirement
        )


def test_the_face_group_holds_the_four_nets() -> None:
    assert {file.name for file in MANIFEST if file.group == "face"} == {
        "face/detector_short_range.tflite",
        "face/detector_full_range.tflite",
        "face/mesh.tflite",
        "face/blendshapes.tflite",
    }
