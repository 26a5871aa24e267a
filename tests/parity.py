"""The parity oracles of tests/data/parity: inputs by rule, outputs of the published nets.

Weights come from the product's own rule; each manifest's digest proves that they are those which
the published code was run with.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from app.weights.seeded import random_normal, random_words, seeded

FOLDER = Path(__file__).parent / "data" / "parity"
TAP_SAMPLES = 32


class Row(NamedTuple):
    """One compared output: the largest error of an element, and whether it is allowed."""

    output: str
    error: float
    allowed: float
    ok: bool


class Tap(NamedTuple):
    """32 evenly spread samples of an inner activation, by official submodule name."""

    name: str
    shape: tuple[int, ...]
    samples: NDArray[np.float32]


def digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Return the SHA-256 over all arrays, little endian, keys sorted."""
    total = hashlib.sha256()
    for key in sorted(arrays):
        total.update(np.ascontiguousarray(arrays[key]).tobytes())
    return total.hexdigest()


def manifest(module: str) -> dict[str, Any]:
    """Return the published facts of one network: keys, container, configuration, digest."""
    path = FOLDER / "manifests" / f"{module.replace('/', '.')}.json"
    facts: dict[str, Any] = json.loads(path.read_text())
    return facts


def weights(module: str) -> dict[str, NDArray[Any]]:
    """Return the made-up weights of one network by official key; proven by their digest."""
    arrays = seeded(module)
    assert digest(arrays) == manifest(module)["rule_r_sha256"], f"rule R is off for {module}"
    return arrays


def taps(module: str) -> list[Tap]:
    """Return the inner activations in order of execution, to find a first difference."""
    path = FOLDER / "fixtures" / f"{module.replace('/', '.')}.taps.npz"
    with np.load(path, allow_pickle=False) as data:
        rows = zip(data["names"], data["shapes"], data["samples"], strict=True)
        return [
            Tap(str(name), tuple(int(size) for size in shape if size), samples)
            for name, shape, samples in rows
        ]


def tap_samples(activation: ArrayLike) -> NDArray[Any]:
    """Return those samples of an activation that a Tap keeps."""
    flat: NDArray[Any] = np.asarray(activation).reshape(-1)
    return np.asarray(flat[np.arange(TAP_SAMPLES) * flat.size // TAP_SAMPLES])


def uniform(text: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return float64 in [0, 1), multiples of 2^-24."""
    words = random_words(text, math.prod(shape)) >> np.uint64(40)
    return (words.astype(np.float64) / 2.0**24).reshape(shape)


def image(text: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return float64 in [0, 1): 8 x 8 flat patches and fine noise; H and W divide by 8."""
    *lead, height, width = shape
    coarse = uniform(f"{text}/coarse", (*lead, 8, 8))
    patches = coarse.repeat(height // 8, axis=-2).repeat(width // 8, axis=-1)
    return 0.75 * patches + 0.25 * uniform(f"{text}/fine", shape)


def image_u8(text: str, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return (H, W, 3) uint8, the `image` of (3, H, W)."""
    height, width, channels = shape
    planes = np.floor(256.0 * image(text, (channels, height, width))).astype(np.uint8)
    return np.ascontiguousarray(planes.transpose(1, 2, 0))


def _input(
    spec: Mapping[str, Any], stored: NDArray[Any] | None, others: Mapping[str, NDArray[Any]]
) -> NDArray[Any]:
    """Return one input from its entry in index.json."""
    rule, shape = spec["rule"], tuple(spec["shape"])
    if rule == "stored":
        assert stored is not None
        return stored
    if rule == "image_u8":
        return image_u8(spec["text"], shape)
    rules = {"normal": random_normal, "uniform": uniform, "image": image}
    values: NDArray[np.float64] = rules[rule](spec["text"], shape)
    values = spec.get("offset", 0.0) + spec.get("scale", 1.0) * values
    if "plus" in spec:
        values = values + others[spec["plus"]].astype(np.float64)
    return values.astype(np.float32)


def _stats(array: NDArray[Any]) -> NDArray[np.float64]:
    """Return mean, population standard deviation, minimum and maximum."""
    values = array.astype(np.float64)
    return np.array([values.mean(), values.std(), values.min(), values.max()])


@cache
def _index() -> dict[str, Any]:
    index: dict[str, Any] = json.loads((FOLDER / "fixtures" / "index.json").read_text())
    return index


def names() -> list[str]:
    """Return the names of all fixtures."""
    return list(_index())


class Fixture:
    """The inputs that the published code saw, by name, and what it answered.

    Attributes:
        inputs: each proven by its SHA-256.
        expected: every k-th element of each output, k = 1 in the output's shape.
        allowed: largest error of an element, by output.
    """

    def __init__(self, name: str) -> None:
        spec = _index()[name]
        with np.load(FOLDER / "fixtures" / f"{name}.npz", allow_pickle=False) as data:
            stored = dict(data)
        self.name = name
        self.inputs: dict[str, NDArray[Any]] = {}
        for key, entry in spec["inputs"].items():
            value = _input(entry, stored.get(f"in__{key}"), self.inputs)
            same = digest({key: value}) == entry["sha256"]
            assert same, f"{name}: input {key} is not the one that the published code saw"
            self.inputs[key] = value
        self._outputs: dict[str, Any] = spec["outputs"]
        self._stats = {key: stored.get(f"stats__{key}") for key in self._outputs}
        self.expected = {
            key: stored[key].reshape(entry["shape"]) if entry["stride"] == 1 else stored[key]
            for key, entry in self._outputs.items()
        }
        self.allowed = {key: float(entry["atol"]) for key, entry in self._outputs.items()}

    def compare(self, outputs: Mapping[str, ArrayLike], factor: float = 1.0) -> list[Row]:
        """Return a row for each given output.

        Args:
            outputs: by official name, each whole and in its official shape; some may be left out.
            factor: widens every tolerance.
        """
        unknown = set(outputs) - set(self._outputs)
        assert outputs, f"{self.name}: nothing to compare"
        assert not unknown, f"{self.name}: has no output {sorted(unknown)}"
        return [
            self._row(key, np.asarray(outputs[key]), factor)
            for key in self._outputs
            if key in outputs
        ]

    def _row(self, key: str, output: NDArray[Any], factor: float) -> Row:
        spec = self._outputs[key]
        shape = tuple(spec["shape"])
        assert output.shape == shape, f"{self.name}: {key} has shape {output.shape}, not {shape}"
        part = output if spec["stride"] == 1 else output.reshape(-1)[:: spec["stride"]]
        expected = self.expected[key].astype(np.float64)
        error = float(np.abs(part.astype(np.float64) - expected).max(initial=0.0))
        if spec["stride"] != 1:
            stats = self._stats[key]
            assert stats is not None
            error = max(error, float(np.abs(_stats(output) - stats).max()))
        finite = bool(np.isfinite(output.astype(np.float64)).all())
        allowed = self.allowed[key] * factor
        return Row(key, error, allowed, finite and error <= allowed)
