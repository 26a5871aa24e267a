"""The command, on a CPU; what it measures is told by the engines' names."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from app.demo.run import demo_speech
from app.runtime import __main__ as command
from app.runtime import choice
from app.runtime.bench import Machine, Row, row_of
from app.runtime.bench_cpu import measure_on_cpu
from app.runtime.config import RuntimeConfig
from app.runtime.nets import NETS, Target
from app.runtime.order import Order
from app.runtime.report import LABELS, bench_table, cpu_table, write_json
from app.weights.seeded import seeded

NOTHING = "not run here: The package torch2trt is not installed."


def row(contender: str, ms: float = 1.0, error: str = "") -> Row:
    named = next(each for each in LABELS if each == contender)
    return row_of(NETS["decoder"], Target(1, 2.4, 1.6), named, ms, 50.0, 3.0, error, cpu_ms=2.0)


def cells(table: object) -> str:
    return " ".join(str(cell) for column in table.columns for cell in column.cells)  # type: ignore[attr-defined]


def test_what_is_absent_has_a_row_that_says_so() -> None:
    machine = Machine("H100", "580", "torch", "2026-11-25")
    shown = cells(bench_table([row("compiled"), row("torch2trt", 0, NOTHING)], machine))
    assert "not run here" in shown
    assert "failed" not in shown
    assert "failed" in cells(bench_table([row("tensorrt", 0, "RuntimeError: no")], machine))


def test_a_cpus_table_compares_with_eager(tmp_path: Path) -> None:
    machine = Machine("EPYC", "", "torch", "2026-11-25")
    rows = [row("eager", 8.0), row("int8", 2.0)]
    assert "4.00 x" in cells(cpu_table(rows, machine))
    write_json(tmp_path / "rows.json", rows, machine)
    assert '"cpu_ms": 2.0' in (tmp_path / "rows.json").read_text()


def test_contenders_of_a_cpu_take_turns(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("app.runtime.bench_cpu.ROUNDS", 1)
    spec = NETS["stitching"]
    order = Order(spec, spec.net(seeded), "cpu", RuntimeConfig(cache=tmp_path))
    rows = list(measure_on_cpu([order], ["eager", "inductor", "int8"]))
    assert [(each.contender, each.batch) for each in rows[:3]] == [
        ("eager", 1),
        ("inductor", 1),
        ("int8", 1),
    ]
    assert rows[0].ms > 0
    assert rows[0].snr_db == float("inf")
    assert all(each.error.startswith("not run here") for each in rows[1:3])


def test_unknown_nets_are_refused() -> None:
    assert command.main(["build", "stitching"]) == command.USAGE


def test_without_a_gpu_the_cpu_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert command.main(["build", "wav2lip"]) == command.FAILED
    assert "--device cpu" in capsys.readouterr().err


def test_own_frames_verify_what_was_built(
    built: Order,
    astronaut: NDArray[np.uint8],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    taken = {"eager": 2.0, "int8": 1.0}
    monkeypatch.setattr(choice, "_ms", lambda engine, order, size: taken[engine.backend])
    photo, speech = tmp_path / "me.png", tmp_path / "me.flac"
    cv2.imwrite(str(photo), cv2.cvtColor(astronaut[:, ::-1], cv2.COLOR_RGB2BGR))
    speech.write_bytes(demo_speech())
    words = ["wav2lip", "--device", "cpu", "--cache", str(built.folder)]
    own = ["--portrait", str(photo), "--audio", str(speech)]
    assert command.main(["verify", *words, *own]) == command.OK
    assert "wav2lip: int8 (int8), measured on real frames" in capsys.readouterr().out
    assert command.main(["list", "--cache", str(built.folder)]) == command.OK
    assert "int8" in capsys.readouterr().out
