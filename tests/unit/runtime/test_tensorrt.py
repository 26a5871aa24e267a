"""How engines are run, with a TensorRT that computes in host memory; tests/gpu has a real one."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from app.runtime.engine_file import EngineRefused
from app.runtime.tensorrt import TensorRtEngine
from tests.unit.runtime.fake_trt import fake

BUCKETS = (1, 4, 8)


def engine(streams: int = 1) -> TensorRtEngine:
    return TensorRtEngine(fake("10.0", strong=True), b"plan", BUCKETS, "cpu", streams)


@pytest.mark.parametrize("frames", [1, 2, 4, 5, 8, 9, 19])
def test_frames_come_back_whatever_the_buckets(frames: int) -> None:
    x = torch.arange(3.0 * frames).reshape(frames, 3)
    assert torch.equal(engine().run(x), 2 * x)


def test_the_output_is_the_callers() -> None:
    running = engine()
    first = running.run(torch.ones(4, 3))
    running.run(torch.full((4, 3), 5.0))
    assert torch.equal(first, torch.full((4, 3), 2.0))


def test_nothing_is_left_of_a_fuller_batch() -> None:
    running = engine()
    running.run(torch.full((4, 3), 7.0))
    assert torch.equal(running.run(torch.ones(2, 3)), torch.full((2, 3), 2.0))


def test_lanes_run_side_by_side() -> None:
    running = engine(streams=3)
    running.warm_up()
    batches = [torch.full((1 + index % 5, 3), float(index)) for index in range(40)]
    with ThreadPoolExecutor(6) as pool:
        for given, answer in zip(batches, pool.map(running.run, batches), strict=True):
            assert torch.equal(answer, 2 * given)


def test_no_frames_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least one frame"):
        engine().run(torch.ones(0, 3))


def test_a_plan_that_is_refused() -> None:
    with pytest.raises(EngineRefused, match=r"tensorrt 10\.0 refuses"):
        TensorRtEngine(fake("10.0", strong=True), b"of another GPU", BUCKETS, "cpu")
