from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from app.driving import HeadMotion, Region, TransferSettings
from app.variants.liveportrait.motion import FaceMotion
from app.variants.liveportrait.neutral import NEUTRAL_EXP
from app.variants.liveportrait.ratios import eye_inputs, eye_ratios, lip_inputs, lip_ratios
from app.variants.liveportrait.retargeting import Retargeting
from app.variants.liveportrait.transfer import (
    Openings,
    adjusted,
    driven,
    driven_video,
    reference,
)
from tests.parity import Fixture
from tests.unit.variants.liveportrait.parity import check, motion, settings_of

Floats = NDArray[np.float32]
CASES = settings_of("relative_motion")


@pytest.fixture(scope="module")
def fixture() -> Fixture:
    return Fixture("relative_motion")


def settings_for(case: dict[str, Any]) -> TransferSettings:
    """Return our settings for official ones; their "expression-friendly" has no effect."""
    return TransferSettings(
        region=case["animation_region"],
        relative=case["flag_relative_motion"],
        multiplier=case["driving_multiplier"],
        stitching=case["flag_stitching"],
        shut_lips=case["flag_normalize_lip"],
        keep_eyes=case["flag_source_video_eye_retargeting"],
        retarget_eyes=case["flag_eye_retargeting"],
        retarget_lips=case["flag_lip_retargeting"],
        as_published=True,
    )


def openings_for(fixture: Fixture, case: dict[str, Any]) -> Openings:
    given, frames = fixture.inputs, case["motions"]
    open_or_shut = {"open": given["landmarks"], "closed": given["landmarks_closed"][None]}
    points = open_or_shut[case["landmarks"]]
    points = points if case["source"] == "video" else points[:1]
    driving = given["c_eyes"][:frames], given["c_lip"][:frames]
    return Openings(eye_ratios(points), lip_ratios(points), *driving)


@pytest.mark.parametrize("name", CASES)
def test_key_points_equal_the_published(
    fixture: Fixture, retargeting: Retargeting, name: str
) -> None:
    case = CASES[name]
    settings = settings_for(case)
    source, driving = motion(fixture.inputs, "source_"), motion(fixture.inputs)[: case["motions"]]
    if case["source"] == "video":
        variance = case["driving_smooth_observation_variance"]
        moved = driven_video(source, driving, settings, variance)
    else:
        source = source[:1]
        moved = driven(source, driving, reference(driving, settings), settings)
    x = adjusted(source, moved, settings, retargeting, openings_for(fixture, case))
    assert x.dtype == np.float32
    check(fixture.compare({f"x_d.{name}": x}))


def test_the_steps_between_equal_the_published(fixture: Fixture, retargeting: Retargeting) -> None:
    source = motion(fixture.inputs, "source_")
    x_s = source.key_points()
    still, video = (openings_for(fixture, CASES[name]) for name in ("retarget_both", "video"))
    none = np.zeros((1, 1), np.float32)
    assert still.driving_eyes is not None
    assert still.driving_lips is not None
    shut = lip_inputs(still.source_lips, none)
    lips = lip_inputs(still.source_lips, still.driving_lips)
    eyes = eye_inputs(still.source_eyes, still.driving_eyes)
    first = video.source_eyes[:1].mean(axis=1, keepdims=True)
    check(
        fixture.compare(
            {
                "x_s": x_s[:1],
                "video.x_s": x_s,
                "R_s": source.rotation,
                "R_d": motion(fixture.inputs).rotation,
                "lip_normalize.ratio": shut,
                "lip_normalize.delta": retargeting.lip_changes(x_s[:1], shut),
                "retarget.lip_ratio": lips,
                "retarget.lip_delta": retargeting.lip_changes(x_s[:1], lips),
                "retarget.eye_ratio": eyes,
                "retarget.eye_delta": retargeting.eye_changes(x_s[:1], eyes),
                "video.lip_ratio": lip_inputs(video.source_lips, none),
                "video.eye_ratio": eye_inputs(video.source_eyes, first),
            }
        )
    )


def test_neutral_expression_is_the_published(fixture: Fixture) -> None:
    np.testing.assert_array_equal(NEUTRAL_EXP, fixture.inputs["lip_array"].astype(np.float32))


def test_the_expression_friendly_option_that_we_leave_out_multiplies_by_one(
    fixture: Fixture,
) -> None:
    check(fixture.compare({"motion_multiplier": np.ones(1)}))


@pytest.fixture(scope="module")
def source(fixture: Fixture) -> FaceMotion:
    return motion(fixture.inputs, "source_")[:1]


@pytest.fixture(scope="module")
def driving(fixture: Fixture) -> FaceMotion:
    return motion(fixture.inputs)


@pytest.fixture(scope="module")
def openings(fixture: Fixture) -> Openings:
    return openings_for(fixture, CASES["retarget_both"])


def transferred(
    source: FaceMotion,
    driving: HeadMotion,
    settings: TransferSettings,
    nets: Retargeting,
    openings: Openings,
) -> Floats:
    moved = driven(source, driving, reference(driving, settings), settings)
    return adjusted(source, moved, settings, nets, openings)


EVERYTHING = TransferSettings(multiplier=1.3, retarget_eyes=True, retarget_lips=True)


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("settings", [TransferSettings(shut_lips=True), EVERYTHING])
def test_a_session_in_groups_equals_the_whole(
    source: FaceMotion,
    driving: FaceMotion,
    openings: Openings,
    retargeting: Retargeting,
    settings: TransferSettings,
    relative: bool,
) -> None:
    settings = replace(settings, relative=relative)
    whole = transferred(source, driving, settings, retargeting, openings)
    first = reference(driving, settings)
    assert openings.driving_eyes is not None
    assert openings.driving_lips is not None
    groups = []
    for part in (slice(0, 2), slice(2, 5)):
        moved = driven(source, driving[part], first, settings)
        seen = openings.driving_eyes[part], openings.driving_lips[part]
        own = Openings(openings.source_eyes, openings.source_lips, *seen)
        groups.append(adjusted(source, moved, settings, retargeting, own))
    np.testing.assert_allclose(np.concatenate(groups), whole, atol=1e-6)


def test_relative_motion_starts_at_the_source(source: FaceMotion, driving: FaceMotion) -> None:
    settings = TransferSettings()
    moved = driven(source, driving, reference(driving, settings), settings)
    np.testing.assert_allclose(moved.key_points()[:1], source.key_points(), atol=1e-6)


@pytest.mark.parametrize(
    ("region", "free"),
    [("exp", {"exp"}), ("pose", {"rotation", "t"}), ("lip", {"exp"}), ("eyes", {"exp"})],
)
def test_a_region_leaves_the_rest_to_the_source(
    source: FaceMotion, driving: FaceMotion, region: Region, free: set[str]
) -> None:
    settings = TransferSettings(region=region)
    moved = driven(source, driving, reference(driving, settings), settings)
    for name in ("rotation", "exp", "scale", "t"):
        given, found = getattr(source, name), getattr(moved, name)
        assert bool((found == given).all()) == (name not in free), name


def test_no_multiplier_leaves_the_source_alone(
    source: FaceMotion, driving: FaceMotion, openings: Openings, retargeting: Retargeting
) -> None:
    settings = replace(EVERYTHING, multiplier=0)
    x = transferred(source, driving, settings, retargeting, openings)
    np.testing.assert_array_equal(x, np.repeat(source.key_points(), 5, axis=0))


def test_retargeting_keeps_the_driving_motion_unless_as_published(
    source: FaceMotion, driving: FaceMotion, openings: Openings, retargeting: Retargeting
) -> None:
    plain = TransferSettings(stitching=False)
    fixed = replace(plain, retarget_eyes=True)
    published = replace(fixed, as_published=True)
    x, with_motion, without = (
        transferred(source, driving, settings, retargeting, openings)
        for settings in (plain, fixed, published)
    )
    changes = without - source.key_points()
    np.testing.assert_allclose(with_motion, x + changes, atol=1e-6)
    assert np.abs(with_motion - without).max() > 0.1


def test_a_single_motions_eyes_are_relative_to_the_neutral_face_unless_as_published(
    driving: FaceMotion,
) -> None:
    settings = TransferSettings(region="eyes")
    np.testing.assert_array_equal(reference(driving[:1], settings).exp, NEUTRAL_EXP)
    published = reference(driving[:1], replace(settings, as_published=True))
    assert not published.exp.any()
    np.testing.assert_array_equal(reference(driving, settings).exp, driving.exp[:1])


def test_retargeting_without_the_drivings_openings_is_refused(
    source: FaceMotion, driving: FaceMotion, openings: Openings, retargeting: Retargeting
) -> None:
    unknown = Openings(openings.source_eyes, openings.source_lips)
    for settings in (TransferSettings(retarget_eyes=True), TransferSettings(retarget_lips=True)):
        with pytest.raises(ValueError, match="opening ratios"):
            transferred(source, driving, settings, retargeting, unknown)


def test_kept_eyes_follow_the_sources_first_frame_and_not_the_groups(
    fixture: Fixture, retargeting: Retargeting
) -> None:
    source, settings = motion(fixture.inputs, "source_"), TransferSettings(keep_eyes=True)
    openings = openings_for(fixture, CASES["video"])
    shutting = np.linspace(1, 0.2, 5, dtype=np.float32)[:, None]
    openings = replace(openings, source_eyes=openings.source_eyes * shutting)
    moved = driven_video(source, motion(fixture.inputs), settings)
    whole = adjusted(source, moved, settings, retargeting, openings)
    tail = replace(
        openings,
        source_eyes=openings.source_eyes[3:],
        source_lips=openings.source_lips[3:],
        first_eyes=openings.source_eyes[:1],
    )
    part = adjusted(source[3:], moved[3:], settings, retargeting, tail)
    np.testing.assert_allclose(part, whole[3:], atol=1e-6)
    assert np.abs(whole - adjusted(source, moved, TransferSettings(), retargeting, openings)).max()


def test_nothing_given_is_written_to(
    source: FaceMotion, driving: FaceMotion, openings: Openings, retargeting: Retargeting
) -> None:
    before = [array.copy() for array in (driving.t, driving.exp, source.t, source.exp)]
    transferred(source, driving, EVERYTHING, retargeting, openings)
    for kept, array in zip(before, (driving.t, driving.exp, source.t, source.exp), strict=True):
        np.testing.assert_array_equal(kept, array)
