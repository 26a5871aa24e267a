"""Made-up weights that need no file: every tensor follows from its network, key and shape.

They are for tests, load runs and benchmarks: activations, poses and key points stay near those of
trained weights, the picture is noise. The parity fixtures of tests/data/parity were made with them,
so the rule must never change. Its arithmetic (integers, square roots, products, one rounding) gives
the same bits on every machine.
"""

import hashlib
import math
import re
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.weights.layout import Shape, TensorLayout, layout

_STEP: Final = 0x9E3779B97F4A7C15
_UINT64: Final = (1 << 64) - 1
_EVEN_LANES: Final = np.uint64(0x0000FFFF0000FFFF)
# Small enough that a block and its temporaries stay in a core's cache.
_BLOCK: Final = 1 << 15

# Matched on the whole of "network/key": value = gain * value + offset, each match in turn.
_GAINS: Final = (
    (r"(wav2lip|lipsync_expert)/.*conv_block\.0\.weight", 0.7, 0.0),
    (r"wav2lip/audio_encoder\.12\.conv_block\.0\.weight", 4.0, 0.0),
    (r"wav2lip/output_block\.1\.weight", 3.0, 0.0),
    (r"appearance_feature_extractor/resblocks_3d\..*\.conv2\.weight", 0.3, 0.0),
    (r"motion_extractor/detector\.fc_kp\.weight", 0.2, 0.0),
    (r"motion_extractor/detector\.fc_exp\..*", 0.03, 0.0),
    (r"motion_extractor/detector\.fc_t\.weight", 0.05, 0.0),
    (r"motion_extractor/detector\.fc_scale\.weight", 0.1, 0.0),
    (r"motion_extractor/detector\.fc_scale\.bias", 1.0, 1.2),
    (r"spade_generator/.*\.mlp_(gamma|beta)\.weight", 0.3, 0.0),
    (r"spade_generator/conv_img\.0\.weight", 0.8, 0.0),
    (r"stitching_retargeting_module/retarget_(shoulder|mouth)/mlp\.6\..*", 0.05, 0.0),
    (r"stitching_retargeting_module/retarget_eye/mlp\.10\..*", 0.05, 0.0),
)
_TRANSPOSED: Final = r"wav2lip/face_decoder_blocks\.[1-9]\d*\.0\.conv_block\.0\.weight"


def random_words(text: str, count: int, start: int = 0) -> NDArray[np.uint64]:
    """Return (count,) uint64, words start, start + 1, ... of the sequence that a text names.

    Source: SplitMix64 (Steele, Lea, Flood 2014) in counter form, seeded by the first eight bytes,
    big endian, of the text's SHA-256.
    """
    seed = int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest()[:8], "big")
    words = np.arange(1, count + 1, dtype=np.uint64)
    words *= np.uint64(_STEP)
    words += np.uint64((seed + start * _STEP) & _UINT64)
    words ^= words >> np.uint64(30)
    words *= np.uint64(0xBF58476D1CE4E5B9)
    words ^= words >> np.uint64(27)
    words *= np.uint64(0x94D049BB133111EB)
    words ^= words >> np.uint64(31)
    return words


def random_normal(text: str, shape: Shape) -> NDArray[np.float64]:
    """Return float64 of a shape, nearly standard normal: mean 0, variance 1, |n| < 3.47.

    Each is the centred and scaled sum of the four 16-bit lanes of one word, in C order.
    """
    values = np.empty(math.prod(shape))
    for start in range(0, values.size, _BLOCK):
        block = values[start : start + _BLOCK]
        words = random_words(text, block.size, start)
        pairs = (words & _EVEN_LANES) + ((words >> np.uint64(16)) & _EVEN_LANES)
        block[:] = (pairs & np.uint64(0xFFFFFFFF)) + (pairs >> np.uint64(32))
        block -= 131070
        block *= math.sqrt(3.0) / 65536.0
    return values.reshape(shape)


def seeded(network: str) -> dict[str, NDArray[Any]]:
    """Return made-up weights of a network, by official key in official order.

    Args:
        network: one of app.weights.layout.NETWORKS.

    Returns:
        float32 arrays, and int64 for counters, of the official shapes.

    Raises:
        ValueError: no such network.
    """
    tensors = layout(network).tensors
    return {key: _tensor(network, key, tensor) for key, tensor in tensors.items()}


def _tensor(network: str, key: str, tensor: TensorLayout) -> NDArray[Any]:
    """Return one entry, rounded once to its type."""
    text, shape = f"{network}/{key}", tensor.shape
    if key.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if key.endswith((".weight_u", ".weight_v")):
        return _unit_vector(text, shape[0])
    values = _spread(text, shape)
    if key.endswith(".weight_orig"):
        _lift_first_singular_value(values, text)
    for pattern, gain, offset in _GAINS:
        if re.fullmatch(pattern, text):
            values *= gain
            values += offset
    return values.astype(np.float32)


def _unit_vector(text: str, length: int) -> NDArray[np.float32]:
    """Return (length,) float32 of norm 1 and of random signs, as spectral norm keeps u and v."""
    signs = 1.0 - 2.0 * (random_words(text, length) >> np.uint64(63)).astype(np.float64)
    return (signs / math.sqrt(length)).astype(np.float32)


def _spread(text: str, shape: Shape) -> NDArray[np.float64]:
    """Return values spread as those of a trained parameter of this kind are."""
    values = random_normal(text, shape)
    if text.endswith("running_mean"):
        values *= 0.05
    elif text.endswith("running_var"):
        values = 1.0 + 0.1 * np.abs(values)
    elif text.endswith("grn.gamma"):
        values *= 0.1
    elif text.endswith((".bias", "grn.beta")):
        values *= 0.05
    elif len(shape) == 1:
        values = 1.0 + 0.05 * values
    else:
        # A transposed convolution of stride 2 keeps its inputs first, and 9 / 4 of them meet.
        transposed = re.fullmatch(_TRANSPOSED, text)
        fan = 2.25 * shape[0] if transposed else math.prod(shape[1:])
        values *= math.sqrt(2.0 / fan)
    return values


def _lift_first_singular_value(values: NDArray[np.float64], text: str) -> None:
    """Make u'Wv about 2 in place, so that a spectral norm left out or done twice is seen."""
    stem = text.removesuffix("orig")
    u = _unit_vector(f"{stem}u", values.shape[0]).astype(np.float64)
    v = _unit_vector(f"{stem}v", values.size // values.shape[0]).astype(np.float64)
    values += np.outer(u, v).reshape(values.shape)
    values *= 2.0
