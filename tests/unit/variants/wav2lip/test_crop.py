import numpy as np
import pytest
from numpy.typing import NDArray

from app.variants.wav2lip.crop import (
    CROP_PX,
    cut,
    cut_boxes,
    paste,
    paste_boxes,
    to_faces,
    to_inputs,
    transforms,
)

Pixels = NDArray[np.uint8]


def smooth_picture(height: int = 240, width: int = 320) -> Pixels:
    y, x = np.mgrid[:height, :width] / max(height, width)
    waves = [127 + 100 * np.sin(9 * x + 7 * y + 2 * phase) for phase in range(3)]
    return np.stack(waves, axis=2).astype(np.uint8)


def boxes(*rows: tuple[float, float, float, float]) -> NDArray[np.float32]:
    return np.array(rows, np.float32)


def test_inputs_are_the_masked_face_then_the_whole_in_bgr() -> None:
    face = np.zeros((1, 96, 96, 3), np.uint8)
    face[..., 0], face[..., 2] = 255, 51
    inputs = to_inputs(face)
    assert inputs.shape == (1, 6, 96, 96)
    assert inputs.dtype == np.float32
    assert inputs[0, :, 47, 0] == pytest.approx([0.2, 0, 1, 0.2, 0, 1])
    assert inputs[0, :, 48, 0] == pytest.approx([0, 0, 0, 0.2, 0, 1])


def test_answers_come_back_in_rgb_and_are_cut() -> None:
    outputs = np.zeros((1, 3, 96, 96), np.float32)
    outputs[:, 0], outputs[:, 2] = 0.99999, 0.5
    assert to_faces(outputs)[0, 0, 0].tolist() == [127, 0, 254]


def test_a_masked_face_comes_back_through_both() -> None:
    faces = smooth_picture(96, 96)[None]
    np.testing.assert_allclose(to_faces(to_inputs(faces)[:, 3:] + 1e-4), faces)


def test_hard_boxes_replace_the_whole_box_and_nothing_else() -> None:
    picture = smooth_picture()
    box = np.array([[100, 60, 190, 200]])
    face = np.full((1, 96, 96, 3), 9, np.uint8)
    (frame,) = paste_boxes([picture], face, box)
    assert (frame[60:200, 100:190] == 9).all()
    frame[60:200, 100:190] = picture[60:200, 100:190]
    np.testing.assert_array_equal(frame, picture)


def test_both_ways_of_cutting_see_the_same() -> None:
    picture = smooth_picture()
    found = cut([picture], transforms(boxes((100, 60, 190, 200))))
    expected = cut_boxes([picture], np.array([[100, 60, 190, 200]]))
    assert np.abs(found.astype(int) - expected).max() <= 2


def test_a_box_beyond_the_image_repeats_its_border() -> None:
    picture = np.full((50, 60, 3), 200, np.uint8)
    assert (cut([picture], transforms(boxes((-30, -20, 90, 95)))) == 200).all()
    assert (cut([picture], transforms(boxes((500, 500, 590, 600)))) == 200).all()


def test_a_shrunk_face_is_averaged() -> None:
    stripes = np.zeros((960, 960, 3), np.uint8)
    stripes[:, ::2] = 200
    face = cut([stripes], transforms(boxes((0, 0, 960, 960))))
    assert np.abs(face[:, 8:-8, 8:-8].astype(int) - 100).max() < 8


@pytest.mark.parametrize(
    "box", [(100, 60, 190, 200), (60.5, 20.25, 260.5, 239), (140, 90, 180, 150)]
)
def test_a_face_pasted_as_it_was_cut_changes_nothing_to_see(
    box: tuple[float, float, float, float],
) -> None:
    picture = smooth_picture()
    there = transforms(boxes(box))
    (frame,) = paste([picture], cut([picture], there), there)
    assert np.abs(frame.astype(int) - picture).max() <= 3


def test_a_pasted_face_shows_its_mouth_and_fades_out_everywhere() -> None:
    picture = np.full((240, 320, 3), 40, np.uint8)
    there = transforms(boxes((100, 40, 196, 136)))
    face = np.full((1, CROP_PX, CROP_PX, 3), 240, np.uint8)
    (frame,) = paste([picture], face, there)
    level = frame[..., 0].astype(int)
    # A mouth and the middle of a chin show whole; eyes, corners, the border and all else do not.
    assert (level[40 + 56 : 40 + 80, 100 + 25 : 100 + 71] == 240).all()
    assert (level[40 + 80 : 40 + 90, 100 + 46 : 100 + 50] == 240).all()
    assert (level[: 40 + 44] == 40).all()
    assert (level[40 + 95 :] < 50).all()
    assert level[40 + 92, 105] == 40
    level[40:136, 100:196] = 40
    assert (level == 40).all()
    steps = (
        np.abs(np.diff(frame[..., 0].astype(int), axis=0)),
        np.abs(np.diff(frame[..., 0].astype(int), axis=1)),
    )
    assert max(step.max() for step in steps) < 80


def test_frames_keep_their_own_boxes_and_are_not_written_to() -> None:
    pictures = [smooth_picture(), smooth_picture(100, 120)]
    before = [picture.copy() for picture in pictures]
    there = transforms(boxes((100, 60, 190, 200), (20, 10, 80, 90)))
    faces = cut(pictures, there)
    frames = paste(pictures, 255 - faces, there)
    for picture, kept, frame in zip(pictures, before, frames, strict=True):
        np.testing.assert_array_equal(picture, kept)
        assert frame.shape == kept.shape
    (alone,) = paste(pictures[1:], 255 - cut(pictures[1:], there[1:]), there[1:])
    np.testing.assert_array_equal(frames[1], alone)
