import torch

from app.models.wav2lip.syncnet import SyncNet, agreement
from tests.parity import Fixture


def inputs() -> tuple[Fixture, torch.Tensor, torch.Tensor]:
    fixture = Fixture("lipsync_expert")
    mel, lips = (torch.from_numpy(fixture.inputs[key]) for key in ("audio", "face"))
    return fixture, mel, lips


@torch.inference_mode()
def test_embeddings_and_their_agreement_are_the_published_ones(syncnet: SyncNet) -> None:
    fixture, mel, lips = inputs()
    speech_BE, lips_BE = syncnet(mel, lips)
    rows = fixture.compare(
        {
            "audio_embedding": speech_BE,
            "face_embedding": lips_BE,
            "cosine": agreement(speech_BE, lips_BE),
        }
    )
    assert len(rows) == 3
    assert all(row.ok for row in rows), rows


@torch.inference_mode()
def test_a_window_of_a_batch_is_the_window_alone(syncnet: SyncNet) -> None:
    _, mel, lips = inputs()
    for together, alone in zip(syncnet(mel, lips), syncnet(mel[1:], lips[1:]), strict=True):
        torch.testing.assert_close(together[1:], alone, rtol=0, atol=1e-6)


def test_agreement_is_one_for_equal_and_none_for_unlike_embeddings() -> None:
    unit = torch.eye(3)
    torch.testing.assert_close(agreement(unit, unit), torch.ones(3))
    torch.testing.assert_close(agreement(unit, unit.roll(1, 0)), torch.zeros(3))
