import numpy as np
import pytest

from app.weights.layout import NETWORKS, layout
from app.weights.seeded import random_normal, random_words, seeded
from tests.parity import digest, manifest


def test_words_are_those_of_the_rule() -> None:
    words = random_words("wav2lip/output_block.1.bias", 3)
    assert [int(word) for word in words] == [
        0xE14C376F631ED44E,
        0x87607B0EB4A09049,
        0x9E186180AD92D23E,
    ]


def test_words_can_start_anywhere() -> None:
    whole = random_words("a", 10)
    np.testing.assert_array_equal(random_words("a", 4, start=6), whole[6:])


def test_normal_values_are_nearly_standard_normal() -> None:
    values = random_normal("a", (300, 301))
    assert abs(values.mean()) < 0.01
    assert abs(values.std() - 1) < 0.01
    assert np.abs(values).max() < 3.47


def test_weights_are_those_of_the_rule() -> None:
    weights = seeded("wav2lip")
    bias = np.array([0.027117474, 0.024136283, 0.043103054], np.float32)
    np.testing.assert_array_equal(weights["output_block.1.bias"], bias)
    start = np.array([-0.7846241, -0.13278589, 0.077562504], np.float32)
    np.testing.assert_array_equal(weights["output_block.1.weight"].ravel()[:3], start)


@pytest.mark.parametrize("network", NETWORKS)
def test_every_network_is_filled_as_the_published_code_was(network: str) -> None:
    weights = seeded(network)
    assert digest(weights) == manifest(network)["rule_r_sha256"]
    layouts = layout(network).tensors
    assert list(weights) == list(layouts)
    for key, tensor in layouts.items():
        assert (weights[key].shape, str(weights[key].dtype)) == (tensor.shape, tensor.dtype)


def test_spectral_norm_is_about_two() -> None:
    weights = seeded("spade_generator")
    start = weights["G_middle_0.conv_0.weight_orig"].ravel()[:3]
    expected = np.array([0.053627096, 0.023450876, 0.040549338], np.float32)
    np.testing.assert_array_equal(start, expected)
    matrix = weights["G_middle_0.conv_0.weight_orig"].reshape(512, -1)
    u, v = (weights[f"G_middle_0.conv_0.weight_{name}"] for name in "uv")
    assert u @ matrix @ v == pytest.approx(2, abs=0.3)


def test_an_unknown_network_is_refused() -> None:
    with pytest.raises(ValueError, match="wav2lip_xl"):
        seeded("wav2lip_xl")
