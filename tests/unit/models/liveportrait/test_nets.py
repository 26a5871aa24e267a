"""Folded nets can be exported with a free batch, and make all they need beside their inputs.

Everything runs on torch's "meta" device, whose tensors have no data.
"""

import pytest
import torch
from torch.export import Dim, export

from app.models.folding import folded
from tests.unit.models.liveportrait.published import PUBLISHED, S
from tests.unit.models.one_device import OneDevice

SHAPES: dict[str, list[tuple[int, ...]]] = {
    "appearance_feature_extractor": [(3, 256, 256)],
    "motion_extractor": [(3, 256, 256)],
    "warping_module": [(32, 16, 64, 64), (21, 3), (21, 3)],
    "spade_generator": [(256, 64, 64)],
    f"{S}/retarget_shoulder": [(126,)],
    f"{S}/retarget_eye": [(66,)],
    f"{S}/retarget_mouth": [(65,)],
}
MAX_BATCH = 32


def inputs(module: str, dtype: torch.dtype) -> tuple[torch.Tensor, ...]:
    return tuple(torch.zeros(2, *shape, dtype=dtype, device="meta") for shape in SHAPES[module])


@pytest.mark.parametrize("module", SHAPES)
def test_a_folded_net_exports_with_a_free_batch(module: str) -> None:
    with torch.device("meta"):
        net = folded(PUBLISHED[module].net())
    arguments = inputs(module, torch.float32)
    batch = Dim("batch", min=1, max=MAX_BATCH)
    program = export(net, arguments, dynamic_shapes=tuple({0: batch} for _ in arguments))
    ranges = [(limits.lower, limits.upper) for limits in program.range_constraints.values()]
    assert ranges == [(1, MAX_BATCH)]


@pytest.mark.parametrize("fold", [False, True], ids=["as loaded", "folded"])
@pytest.mark.parametrize("module", SHAPES)
def test_a_net_takes_any_type_on_any_device(module: str, fold: bool) -> None:
    with torch.device("meta"):
        net = PUBLISHED[module].net().to(torch.bfloat16).eval()
    net = folded(net) if fold else net
    with torch.inference_mode(), OneDevice():
        output = net(*inputs(module, torch.bfloat16))
    first = output if isinstance(output, torch.Tensor) else output[0]
    assert (first.device.type, first.dtype, len(first)) == ("meta", torch.bfloat16, 2)
