"""The log-mel and its windows, which `app.media.mel` makes, beside Wav2Lip's."""

from fractions import Fraction

import numpy as np
import pytest

from app.media.mel import WINDOW_STEPS, log_mel, mel_filters, mel_windows
from tests.parity import Fixture

# Columns and rates of the fixture's chunks: "137@29.97".
CHUNKS = Fixture("mel_chunks").expected


def test_log_mel_equals_the_published() -> None:
    fixture = Fixture("mel")
    signal = fixture.inputs["signal"]
    rows = fixture.compare(
        {
            "mel_27337": log_mel(signal),
            "mel_27200": log_mel(signal[:27200]),
            "mel_basis": mel_filters(),
        }
    )
    assert not [row for row in rows if not row.ok]


@pytest.mark.parametrize("name", CHUNKS)
def test_windows_start_where_the_published_do(name: str) -> None:
    columns, _, rate = name.partition("@")
    # Every column holds its own number, so a window says where it starts.
    mel = np.tile(np.arange(int(columns), dtype=np.float32), (80, 1))
    expected = CHUNKS[name]
    windows = mel_windows(mel, len(expected), Fraction(rate))
    np.testing.assert_array_equal(windows[:, 0, 0], expected)
    assert windows.shape[2] == WINDOW_STEPS
