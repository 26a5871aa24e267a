"""What was measured, kept between starts under a key of all that it depends on."""

import hashlib
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from app import __version__
from app.weights.replacing import replacing


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one engine did at one batch size.

    Attributes:
        backend: the engine.
        batch: frames of a run.
        ms: of a run, median; 0 where it does not run.
        snr_db: against eager float32.
        used: whether this engine runs this batch size.
        why: why it is not, one sentence; empty where it is. In the cache, which may hold rivals
            that are not asked for, only what makes it unfit.
    """

    backend: str
    batch: int
    ms: float
    snr_db: float
    used: bool
    why: str = ""


def default_folder(environment: Mapping[str, str] | None = None) -> Path:
    """Return the engines' folder in the user's cache folder; see `weights.store`."""
    variables = os.environ if environment is None else environment
    cache = variables.get("XDG_CACHE_HOME", "")
    root = Path(cache) if os.path.isabs(cache) else Path.home() / ".cache"
    return root / "digital-human" / "engines"


def key_of(name: str, digest: str, example: Sequence[Tensor], machine: str) -> str:
    """Return the key of a net's verdicts.

    Args:
        name: of the net.
        digest: of its weights.
        example: inputs, for their shapes and types but for the batch.
        machine: of `machine_of`.
    """
    shapes = [f"{tuple(tensor.shape[1:])}{tensor.dtype}" for tensor in example]
    text = "|".join([name, digest, *shapes, machine, __version__])
    return f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:24]}"


def cudnn_version() -> int | None:
    """Return the version of cuDNN, as a number; nothing where it is not there."""
    version: int | None = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
    return version


def machine_of(device: str) -> str:
    """Return the GPU and the libraries that an engine depends on, in words."""
    versions = f"torch {torch.__version__}, cuDNN {cudnn_version()}"
    if not device.startswith("cuda"):
        return f"{cpu_name()}, {versions}"
    return f"{torch.cuda.get_device_name(device)}, CUDA {torch.version.cuda}, {versions}"


def cpu_name() -> str:
    """Return the model of this machine's CPU, as far as it says so."""
    try:
        told = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.machine()
    names = (line.partition(":")[2].strip() for line in told.splitlines() if "model name" in line)
    return next(names, platform.machine())


class VerdictCache:
    """A folder with one file of verdicts per key.

    Args:
        folder: need not exist yet.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, key: str) -> list[Verdict] | None:
        """Return the verdicts of a key; nothing where there are none or the file is damaged."""
        try:
            entries = json.loads((self._folder / f"{key}.json").read_text())
            return [Verdict(**entry) for entry in entries]
        except (OSError, ValueError, TypeError):
            return None

    def store(self, key: str, verdicts: Sequence[Verdict]) -> None:
        """Keep verdicts, in place of any before."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with replacing(self._folder / f"{key}.json") as path:
            path.write_text(json.dumps([asdict(verdict) for verdict in verdicts], indent=1))

    def names(self) -> list[str]:
        """Return all keys, sorted."""
        return sorted(path.stem for path in self._folder.glob("*.json"))
