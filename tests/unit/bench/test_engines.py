"""Figures of the models by themselves; the models are proven elsewhere, and timed on GPUs."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from app.bench.engines import CPU, Timing, frames_per_s, table, write_json

TIMINGS = [
    Timing("warping and decoder", 8, 2.4, "compiled"),
    Timing("paste, beside the next run", 8, 2.0, CPU),
    Timing("lips", 8, 0.1, "compiled"),
    Timing("warping and decoder", 1, 3.0, "compiled"),
    Timing("lips", 1, 1.0, "compiled"),
]


def test_a_frame_costs_what_both_models_take_of_the_gpu_and_not_what_runs_beside(
    tmp_path: Path,
) -> None:
    assert frames_per_s(TIMINGS, 8) == pytest.approx(400)
    assert frames_per_s(TIMINGS, 1) == pytest.approx(250)
    write_json(TIMINGS, tmp_path / "engines.json")
    written = json.loads((tmp_path / "engines.json").read_text())
    assert written["frames_per_s"] == {"8": pytest.approx(400), "1": pytest.approx(250)}
    console = Console(record=True, width=100)
    console.print(table(TIMINGS))
    assert "400 frames/s" in console.export_text()
