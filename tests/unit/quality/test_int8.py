"""INT8 of the viseme net against float32, as the table of quality says it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from app.models.viseme.phonemes import CONTROLS
from app.quality.int8 import Int8Figures, int8_figures, int8_rows, loss, speeds, windows
from app.quality.passage import Passage
from app.quality.speech import recordings
from app.values import Sound, Speech

FIGURES = Int8Figures(0.26, 0.25, [1.5, 2.0, 3.0], {"one": 0.001, "other": 0.019})
JAW = CONTROLS.index("jaw")


def verdicts(figures: Int8Figures | None) -> list[bool | None]:
    return [row.met for row in int8_rows(figures)]


def test_each_row_is_missed_by_itself() -> None:
    assert verdicts(FIGURES) == [True, True, True]
    assert verdicts(replace(FIGURES, files=0.271)) == [False, True, True]
    assert verdicts(replace(FIGURES, speeds=[1.0, 1.6, 9.0])) == [True, False, True]
    assert verdicts(replace(FIGURES, losses={"one": 0.001, "other": 0.02})) == [True, True, False]
    assert verdicts(None) == [None, None, None]


def test_rows_show_the_figure_and_the_worst() -> None:
    size, speed, lost = int8_rows(FIGURES)
    assert (size.ours, size.worst) == ("26.0%", "25.0% the weights alone")
    assert (speed.ours, speed.worst) == ("2.0 times", "1.5 times")
    assert (lost.ours, lost.worst) == ("1.00%", "1.90% other")


def test_a_loss_is_a_share_of_the_openings_range() -> None:
    levels = np.full((80, 320), -20, np.float32)
    passage = Passage("any", Speech(levels, 0.0, Sound(b"", 16000, 1, 64000)))

    def listen(heard: torch.Tensor, off: float = 0.0) -> torch.Tensor:
        controls = torch.zeros(len(heard), len(CONTROLS))
        controls[:, JAW] = torch.linspace(0, 0.5, len(heard)) + off
        return controls

    assert loss(listen, listen, passage) == 0
    assert loss(listen, lambda heard: listen(heard, 0.05), passage) == pytest.approx(0.1, rel=1e-3)


def test_the_slower_of_two_is_seen() -> None:
    batch = torch.zeros(1)

    def slow(heard: torch.Tensor) -> torch.Tensor:
        for _ in range(20_000):
            pass
        return heard

    assert min(speeds(slow, lambda heard: heard, batch)) > 1


def test_the_shipped_net_in_int8() -> None:
    pytest.importorskip("openvino")
    pytest.importorskip("nncf")
    demo = recordings([])[0]
    assert windows([demo]).shape == (demo.num_frames, 80, 32)
    figures = int8_figures([demo], [demo])
    assert figures is not None
    # The weights alone are what INT8 shrinks; the graph's file comes on top.
    assert 0.2 < figures.weights < 0.27
    assert figures.weights < figures.files < 0.4
    assert 0 < figures.losses[demo.name] < 0.02
    assert len(figures.speeds) > 10


def test_nothing_is_measured_without_speech() -> None:
    assert int8_figures([], []) is None
