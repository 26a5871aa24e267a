"""Which files a published variant gets."""

from pathlib import Path

import pytest

from app.errors import WeightsError
from app.serving.checkpoints import landmark_file
from app.weights.config import WeightsConfig


def test_the_landmark_net_is_used_where_it_was_fetched_and_refused_if_damaged(
    tmp_path: Path,
) -> None:
    config = WeightsConfig(folder=tmp_path)
    assert landmark_file("published", config) is None
    file = tmp_path / "liveportrait" / "landmark.onnx"
    file.parent.mkdir()
    file.write_bytes(b"cut off")
    with pytest.raises(WeightsError, match=r"landmark\.onnx is damaged"):
        landmark_file("published", config)
    assert landmark_file("seeded", config) is None, "made-up weights need no file"
