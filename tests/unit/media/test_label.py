"""The mark of synthetic videos."""

import numpy as np
import pytest

from app.media.label import metadata, stamp


@pytest.mark.parametrize("background", [0, 128, 255])
@pytest.mark.parametrize("size", [(256, 256), (512, 342), (144, 1024)])
def test_the_stamp_can_be_read_and_stays_in_its_corner(
    background: int, size: tuple[int, int]
) -> None:
    height, width = size
    frames = np.full((2, height, width, 3), background, np.uint8)
    stamped = stamp(frames)
    assert (frames == background).all()
    changed = (stamped != frames).any(axis=(0, 3))
    rows, columns = np.nonzero(changed)
    assert rows.min() > 0.9 * height - 20
    assert columns.min() < 0.2 * width
    corner = stamped[0, rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert int(corner.max()) - int(corner.min()) > 100


def test_the_metadata_say_it_unless_switched_off() -> None:
    assert "Synthetic" in metadata("visible")["comment"]
    assert "Synthetic" in metadata("metadata")["comment"]
    assert metadata("none") == {}
