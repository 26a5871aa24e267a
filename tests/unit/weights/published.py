"""Files as their authors publish them, made of seeded weights."""

import hashlib
from pathlib import Path
from typing import Any

import torch

from app.weights.seeded import seeded
from app.weights.weight_file import Checkpoint, Origin, UserFile, WeightFile

NETS = ("retarget_shoulder", "retarget_mouth", "retarget_eye")
PAGE = UserFile("https://example.org/weights")


def state(network: str, prefix: str = "") -> dict[str, torch.Tensor]:
    return {prefix + key: torch.from_numpy(array) for key, array in seeded(network).items()}


def stitching_content() -> dict[str, Any]:
    """Return what the file of the three small nets holds: a prefix here, other entries there."""
    nets = {
        name: state(f"stitching_retargeting_module/{name}", "module." if "eye" in name else "")
        for name in NETS
    }
    return {"retarget_neck": {"mlp.0.weight": torch.ones(3)}, **nets, "epoch": 7}


def saved(path: Path, content: object, legacy: bool = False) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return path


def stitching_file(path: Path | None = None, origin: Origin = PAGE) -> WeightFile:
    """Return the entry of a file; of unknown digest and size if it does not exist."""
    content = path.read_bytes() if path else b""
    return WeightFile(
        name="small/stitching.pth",
        sha256=hashlib.sha256(content).hexdigest() if path else "",
        size_bytes=len(content),
        licence="MIT",
        author="nobody",
        origin=origin,
        checkpoints=tuple(
            Checkpoint(name, f"stitching_retargeting_module/{name}") for name in NETS
        ),
        terms="Be kind.",
    )
