"""A watch on every operation of torch, for proofs of device-correctness without a GPU."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

# They take indices from the CPU, or are copies between devices by purpose.
MIXING = (torch.ops.aten.index.Tensor, torch.ops.aten._to_copy.default)


class OneDevice(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Fails at an operation whose tensors, but for numbers, are not all on one device.

    The meta device alone does not refuse every mixture that CUDA does.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> object:
        named = dict(kwargs or {})
        tensors = [leaf for leaf in tree_leaves((args, named)) if isinstance(leaf, torch.Tensor)]
        devices = {str(tensor.device) for tensor in tensors if tensor.dim()}
        assert len(devices) <= 1 or func in MIXING, f"{func} on {devices}"
        return func(*args, **named)
