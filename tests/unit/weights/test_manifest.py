import re

from app.weights.layout import NETWORKS
from app.weights.manifest import MANIFEST
from app.weights.weight_file import HubFile, UserFile, WheelMember


def test_names_are_unique_and_stay_inside_the_store() -> None:
    names = [file.name for file in MANIFEST]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9]+/[a-z0-9_.]+", name) for name in names)


def test_every_file_that_is_fetched_is_pinned_by_digest_and_size() -> None:
    for file in MANIFEST:
        if isinstance(file.origin, UserFile):
            continue
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
        assert file.size_bytes > 0
        if isinstance(file.origin, WheelMember):
            pinned = r"[a-z-]+==[0-9.]+ --hash=sha256:[0-9a-f]{64}"
            assert re.fullmatch(pinned, file.origin.wheel.requirement)


def test_digests_are_unique() -> None:
    digests = [file.sha256 for file in MANIFEST if file.sha256]
    assert len(set(digests)) == len(digests)


def test_the_face_group_holds_the_four_nets() -> None:
    assert {file.name for file in MANIFEST if file.group == "face"} == {
        "face/detector_short_range.tflite",
        "face/detector_full_range.tflite",
        "face/mesh.tflite",
        "face/blendshapes.tflite",
    }


def test_the_hub_is_asked_for_six_files_of_one_repository() -> None:
    origins = [file.origin for file in MANIFEST if isinstance(file.origin, HubFile)]
    assert {origin.repository for origin in origins} == {"KlingTeam/LivePortrait"}
    assert len(origins) == 6
    assert all(re.fullmatch(r"[0-9a-f]{40}", origin.revision) for origin in origins)
    # Their licence forbids what this product is for.
    assert not [origin for origin in origins if "insightface" in origin.path]


def test_every_network_has_a_checkpoint() -> None:
    checkpoints = [of for file in MANIFEST for of in file.checkpoints]
    assert {of.network for of in checkpoints} == set(NETWORKS)
    assert {of.name for of in checkpoints} == {*NETWORKS, "wav2lip_gan"}


def test_what_only_its_users_may_bring_says_what_its_authors_allow() -> None:
    for file in MANIFEST:
        if isinstance(file.origin, UserFile):
            assert "non-commercial" in file.terms
            assert file.remedy == f"python -m app.weights import {file.stem} PATH"
