"""Where a published net's weights come from: the store, or rule R for runs without any."""

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from app.variants.config import WeightSource
from app.weights.config import WeightsConfig
from app.weights.seeded import seeded
from app.weights.store import WeightStore


def tensors(network: str, source: WeightSource, config: WeightsConfig) -> dict[str, NDArray[Any]]:
    """Return the weights of a network under their official names.

    Args:
        network: as `WeightStore.checkpoint` names it.
        source: "seeded" are made-up numbers, the same everywhere: they show time and plumbing.
        config: where the store is.

    Raises:
        WeightsError: the checkpoint is absent or damaged; the hint says what to run.
    """
    if source == "seeded":
        return seeded(network)
    return WeightStore(config.folder).checkpoint(network)


def licence_of(network: str, source: WeightSource) -> str:
    """Return the licence of a network's weights; made-up ones are this product's own."""
    return "Apache-2.0" if source == "seeded" else WeightStore().published(network).licence


def landmark_file(source: WeightSource, config: WeightsConfig) -> Path | None:
    """Return where the published landmark net is; None without it, or where weights are made up.

    Raises:
        WeightsError: the file is damaged; the hint says what to run.
    """
    if source == "seeded":
        return None
    return WeightStore(config.folder).optional_path("liveportrait/landmark.onnx")
