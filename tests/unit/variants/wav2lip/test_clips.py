"""Sound and pictures through our net and what surrounds it, beside the published script."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from app.media.mel import log_mel, mel_windows
from app.models.wav2lip.generator import Wav2Lip
from app.models.wav2lip.state_dict import WAV2LIP
from app.variants.wav2lip.crop import cut_boxes, paste_boxes, to_faces, to_inputs
from tests.parity import Fixture, weights

Floats = NDArray[np.float32]
BATCH = 8
BOX = (210, 130, 400, 340)


@pytest.fixture(scope="module")
def net() -> Wav2Lip:
    official = {key: torch.from_numpy(array) for key, array in weights("wav2lip").items()}
    net = Wav2Lip()
    net.load_state_dict(WAV2LIP.to_ours(official))
    return net.eval().requires_grad_(False)


def predicted(net: Wav2Lip, mel: Floats, faces: Floats) -> Floats:
    batches = [torch.split(torch.from_numpy(array), BATCH) for array in (mel, faces)]
    answers = [net(*batch) for batch in zip(*batches, strict=True)]
    return np.asarray(torch.cat(answers).numpy(), np.float32)


@pytest.mark.parametrize(
    ("name", "fps", "count", "rolls"),
    [("wav2lip_clip", 25, 40, 1), ("wav2lip_clip_video", 30, 13, 4)],
)
def test_a_clip_equals_the_published(
    net: Wav2Lip, name: str, fps: int, count: int, rolls: int
) -> None:
    fixture = Fixture(name)
    picture = fixture.inputs["picture"][..., ::-1]
    video = [np.ascontiguousarray(np.roll(picture, 5 * roll, axis=0)) for roll in range(rolls)]
    samples = (fixture.inputs["pcm16"] / 32768).astype(np.float32)
    mel = mel_windows(log_mel(samples), count, Fraction(fps))[:, None]
    frames = [video[index % rolls] for index in range(count)]
    boxes = np.tile(np.array(BOX), (count, 1))
    inputs = to_inputs(cut_boxes(frames, boxes))
    prediction = predicted(net, mel, inputs)
    pasted = np.stack(paste_boxes(frames, to_faces(prediction), boxes))
    rows = fixture.compare(
        {
            "mel_batch": mel,
            "image_batch": inputs,
            "prediction": prediction,
            "frames": pasted[..., ::-1],
        }
    )
    assert not [row for row in rows if not row.ok]
