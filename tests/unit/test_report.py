"""The last box of a video."""

from fractions import Fraction

import numpy as np

from app.media.config import MediaConfig
from app.media.mp4 import Mp4Writer
from app.media.probe import probe_video
from app.report import read_report, report_box


def test_a_report_is_read_from_a_video_that_still_plays() -> None:
    writer = Mp4Writer(32, 32, Fraction(25), None, MediaConfig(), num_frames=5)
    video = writer.write(np.zeros((5, 32, 32, 3), np.uint8)) + writer.finish()
    assert read_report(video) is None
    reported = video + report_box({"frames": 5, "frames_without_face": 2})
    assert read_report(reported) == {"frames": 5, "frames_without_face": 2}
    facts = probe_video(reported)
    assert (facts.frames, facts.picture.errors) == (5, 0)


def test_a_cut_report_is_none() -> None:
    assert read_report(report_box({"frames": 5})[:-1]) is None
    assert read_report(b"") is None
