"""Times of GPU work by events, inputs rotated so that no run finds its own in the cache."""

import statistics
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

WARM_UP_RUNS = 3


def median_ms(
    run: Callable[..., object], inputs: Sequence[Sequence[Tensor]], runs: int = 20
) -> float:
    """Return the median time of a run, ms.

    Args:
        run: queues work on the current stream.
        inputs: sets that it is called with in turn, on the device.
        runs: how many are timed, after a few that are not.
    """
    for i in range(WARM_UP_RUNS):
        run(*inputs[i % len(inputs)])
    torch.cuda.synchronize()
    times = []
    for i in range(runs):
        start, end = _event(), _event()
        start.record()
        run(*inputs[i % len(inputs)])
        end.record()
        end.synchronize()
        times.append(float(start.elapsed_time(end)))
    return statistics.median(times)


def _event() -> torch.cuda.Event:
    return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
