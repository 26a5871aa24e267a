"""Rows of the table, of talks whose truth is known."""

from dataclasses import replace

import numpy as np
import torch

from app.models.viseme.phonemes import CONTROLS
from app.quality.energy import EnergyMouth
from app.quality.passage import Passage, Reference
from app.quality.table import Row, as_markdown
from app.quality.verdicts import Talk, mouth_rows, picture_rows
from app.values import Sound, Speech

FRAMES = 100


def talk(held_out: bool = False) -> Talk:
    opening = (0.1 + 0.1 * np.sin(np.arange(FRAMES) / 3)).astype(np.float32)
    spans = np.array([[1.0, 1.1]], np.float32)
    levels = np.full((80, 320), -3, np.float32)
    levels[:, 160:240] = -80
    speech = Speech(levels, 0.0, Sound(b"", 16000, 1, 64000))
    passage = Passage("words", speech, Reference(opening, spans, spans, spans), held_out)
    gap = opening.copy()
    gap[25:28], gap[53:76] = 0, 0
    return Talk("anyone", passage, gap, np.full(FRAMES, 0.1, np.float32), 1.0, 0.01, 0)


def by_measure(rows: list[Row]) -> dict[str, Row]:
    return {row.measure: row for row in rows}


def test_a_mouth_that_follows_beats_one_that_does_not() -> None:
    rows = by_measure(mouth_rows([talk(), talk(held_out=True)]))
    held_out = rows["opening ~ reference, held-out voices"]
    assert held_out.energy == "0.00"
    assert held_out.met is (float(held_out.ours) >= 0.8)
    assert rows["p, b, m closed in a frame"].met
    assert rows["p, b, m closed in a frame"].energy == "0%"
    assert rows["closed in pauses of 300 ms"].met
    assert rows["best lag of the opening"].met


def test_a_mouth_that_is_no_better_than_loudness_misses() -> None:
    ours = talk()
    rows = by_measure(mouth_rows([replace(ours, energy_gap=ours.gap)]))
    row = rows["opening ~ reference, recordings with transcript"]
    assert row.ours == row.energy
    assert row.met is False


def test_what_was_not_measured_is_said() -> None:
    silent = replace(talk(), passage=replace(talk().passage, reference=None))
    row = mouth_rows([silent])[0]
    assert row.met is None
    assert "not measured" in as_markdown([row])


def test_one_bad_talk_misses_the_row() -> None:
    bad = replace(talk(), sitter="somebody", outside=3, found=0.9, distortion=0.05)
    rows = picture_rows([talk(), bad])
    assert [row.met for row in rows] == [False] * 3
    assert all("somebody" in row.worst for row in rows)
    assert all(row.met for row in picture_rows([talk()]))


def test_the_energy_only_mouth_moves_its_jaw_alone_and_with_loudness() -> None:
    mel = torch.full((3, 80, 32), -4.0)
    mel[1], mel[2] = 0.0, 2.0
    controls = EnergyMouth()(mel)
    jaw = controls[:, CONTROLS.index("jaw")]
    assert jaw[0] == 0
    assert jaw[0] < jaw[1] < jaw[2] <= 1
    assert controls.sum() == jaw.sum()
