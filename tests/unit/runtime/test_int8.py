"""INT8 on the CPU: OpenVINO's answers and time, and what dynamic quantisation does not do."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from app.runtime.accuracy import snr_db
from app.runtime.dynamic import dynamically_quantised
from app.runtime.int8 import Int8Engine
from app.runtime.makers import int8_file
from app.runtime.order import Order
from tests.unit.runtime.conftest import GraphFile, seeded_net

FLOOR_DB = 20.0
THREADS = 2

Batch = tuple[Tensor, ...]


@pytest.fixture(scope="session")
def model(built: Order) -> Path:
    return int8_file(built)


@pytest.fixture(scope="session")
def engine(model: Path) -> Int8Engine:
    return Int8Engine(model, threads=THREADS)


def test_wav2lip_on_frames_that_were_not_calibrated_on(
    engine: Int8Engine, wav2lip_clip: Batch
) -> None:
    unseen = tuple(each[1::2] for each in wav2lip_clip)
    with torch.inference_mode():
        expected = seeded_net("wav2lip")(*unseen)
    reached = snr_db(engine.run(*unseen), expected)
    print(f"{reached:.1f} dB")
    assert reached >= FLOOR_DB
    assert (engine.backend, engine.device.type) == ("int8", "cpu")


def test_the_files_are_a_quarter_of_float32(model: Path, graph_file: GraphFile) -> None:
    stored = model.stat().st_size + model.with_suffix(".bin").stat().st_size
    share = stored / graph_file("wav2lip", False).stat().st_size
    print(f"{share:.1%}")
    assert share <= 0.26


def test_batches_of_any_size(model: Path, engine: Int8Engine, wav2lip_clip: Batch) -> None:
    whole = engine.run(*wav2lip_clip)
    for running in (engine, Int8Engine(model, THREADS, buckets=(1, 4, 8))):
        for frames in (1, 3, 11):
            answer = running.run(*(each[:frames] for each in wav2lip_clip))
            assert torch.equal(answer, whole[:frames])


def test_answers_are_the_callers_and_threads_do_not_mix(
    engine: Int8Engine, wav2lip_clip: Batch
) -> None:
    parts = [tuple(each[index : index + 1] for each in wav2lip_clip) for index in range(8)]
    expected = [engine.run(*part) for part in parts]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda part: engine.run(*part), parts * 3))
    for answer, wanted in zip(answers, expected * 3, strict=True):
        assert torch.equal(answer, wanted)


def test_it_is_faster_than_eager(engine: Int8Engine, wav2lip_clip: Batch) -> None:
    """Without VNNI the gain is smaller, and a busy machine blurs it: only a floor is asked."""
    net, batch = seeded_net("wav2lip"), tuple(each[:8] for each in wav2lip_clip)
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    times: list[tuple[float, float]] = []
    try:
        for _ in range(5):
            started = time.perf_counter()
            with torch.inference_mode():
                net(*batch)
            between = time.perf_counter()
            engine.run(*batch)
            times.append((between - started, time.perf_counter() - between))
    finally:
        torch.set_num_threads(before)
    eager, quick = np.min(times, axis=0)
    print(f"eager {eager * 1e3:.0f} ms, int8 {quick * 1e3:.0f} ms: {eager / quick:.2f} x")
    assert eager / quick >= 1.2


def test_dynamic_quantisation_reaches_linear_layers_only() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(8 * 16, 4)).eval()
    quantised = dynamically_quantised(net)
    conv, linear, before = quantised[0], quantised[2], net[0]
    assert type(conv) is nn.Conv2d
    assert isinstance(before, nn.Conv2d)
    assert conv.weight.dtype == torch.float32
    assert torch.equal(conv.weight, before.weight)
    assert type(linear) is not nn.Linear
    x = torch.randn(2, 3, 6, 6)
    with torch.inference_mode():
        reached = snr_db(quantised(x), net(x))
    assert reached > FLOOR_DB


def test_dynamic_quantisation_leaves_wav2lip_as_it_is() -> None:
    net = seeded_net("wav2lip")
    quantised = dynamically_quantised(net)
    kept = {name: type(module) for name, module in net.named_modules()}
    assert {name: type(module) for name, module in quantised.named_modules()} == kept
    for name, value in net.state_dict().items():
        assert torch.equal(quantised.state_dict()[name], value)
