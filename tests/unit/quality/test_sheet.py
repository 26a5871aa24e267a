"""Contact sheets and blind pairs, of frames that are made up."""

import json
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from app.quality.preference import PAIRS, Preference
from app.quality.sheet import CELL_PX, COLUMNS, contact_sheet, liveliest, mouth, word_sheet
from app.topology import INNER_LIP_LOWER, INNER_LIP_UPPER
from tests.fake_face import fake_mesh

SIDE = 200


def clip(frames: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    points = fake_mesh((SIDE / 2, SIDE / 2), SIDE / 2).points
    return np.full((frames, SIDE, SIDE, 3), 90, np.uint8), np.repeat(points[None], frames, 0)


def test_the_sheet_has_all_its_rows() -> None:
    assert contact_sheet(*clip(40)).shape == (4 * CELL_PX, COLUMNS * CELL_PX, 3)
    assert word_sheet(*clip(40), 30).shape == (2 * CELL_PX, COLUMNS * CELL_PX, 3)


def test_a_close_up_has_the_mouth_in_its_middle() -> None:
    (frame,), (points,) = clip(1)
    lips = points[[*INNER_LIP_UPPER, *INNER_LIP_LOWER], :2].mean(axis=0)
    cv2.circle(frame, (round(float(lips[0])), round(float(lips[1]))), 4, (255, 0, 0), -1)
    middle = mouth(frame, points, 3)[CELL_PX // 2 - 3 : CELL_PX // 2 + 3, CELL_PX // 2]
    assert (middle[:, 0] > 200).all()


def test_the_liveliest_stretch_is_where_the_gap_changes() -> None:
    gap = np.zeros(60, np.float32)
    gap[30:38] = [0.1, 0, 0.1, 0, 0.1, 0, 0.1, 0]
    assert 28 <= liveliest(gap) <= 32
    assert liveliest(gap[:5]) == 0


def test_pairs_are_mixed_and_the_key_lies_elsewhere(tmp_path: Path) -> None:
    pairs = Preference(tmp_path / "pairs", seed=3)
    ours, energy = np.full((8, 8, 3), 200, np.uint8), np.full((8, 8, 3), 20, np.uint8)
    for _ in range(PAIRS + 2):
        pairs.add(ours, energy)
    key = json.loads((tmp_path / "key.json").read_text())
    files = sorted((tmp_path / "pairs").iterdir())
    assert [file.stem for file in files] == list(key)
    assert len(key) == PAIRS
    assert set(key.values()) == {"upper", "lower"}
    for file in files:
        sheet = cv2.imread(str(file))
        assert sheet is not None
        assert (sheet[0, 0, 0] == 200) == (key[file.stem] == "upper")
