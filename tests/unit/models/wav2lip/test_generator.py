import torch

from app.models.folding import folded
from app.models.wav2lip.generator import FACE_PX, Wav2Lip
from tests.parity import Fixture
from tests.unit.models.wav2lip.conftest import FOLDED


def inputs(name: str) -> tuple[Fixture, torch.Tensor, torch.Tensor]:
    fixture = Fixture(name)
    mel, faces = (torch.from_numpy(fixture.inputs[key]) for key in ("audio", "face"))
    return fixture, mel, faces


@torch.inference_mode()
def test_frames_are_the_published_ones(wav2lip: Wav2Lip) -> None:
    fixture, mel, faces = inputs("wav2lip")
    (row,) = fixture.compare({"frame": wav2lip(mel, faces)})
    assert row.ok, row


@torch.inference_mode()
def test_clips_are_the_published_ones(wav2lip: Wav2Lip) -> None:
    fixture, mel, faces = inputs("wav2lip_5d")
    (row,) = fixture.compare({"frame": wav2lip.clips(mel, faces)})
    assert row.ok, row


@FOLDED
@torch.inference_mode()
def test_a_frame_of_a_batch_is_the_frame_alone(wav2lip: Wav2Lip) -> None:
    _, mel, faces = inputs("wav2lip")
    together = wav2lip(mel, faces)
    alone = torch.cat([wav2lip(mel[[i]], faces[[i]]) for i in range(2)])
    apart = (together - alone).abs().max()
    assert apart < 1e-5
    # What belongs to the other frame would be a thousand times further off.
    assert (together - alone.flip(0)).abs().max() > 1000 * apart


@FOLDED
@torch.inference_mode()
def test_speech_and_both_faces_matter(wav2lip: Wav2Lip) -> None:
    _, mel, faces = inputs("wav2lip")
    frame = wav2lip(mel[:1], faces[:1])
    other_speech = wav2lip(mel[1:], faces[:1])
    swapped = wav2lip(mel[:1], faces[:1].roll(3, dims=1))
    assert (frame - other_speech).abs().max() > 0.01
    assert (frame - swapped).abs().max() > 0.01


def test_folding_leaves_no_normalisation_in_the_copy_and_may_come_twice() -> None:
    loaded = Wav2Lip()
    before = len(loaded.state_dict())
    net = folded(folded(loaded))
    assert len(loaded.state_dict()) == before
    assert not [module for module in net.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    # Of five entries of each normalisation and two of its convolution, two are left.
    assert len(net.state_dict()) == 2 + (before - 2) * 2 // 7
    with torch.inference_mode():
        frame = net(torch.zeros(1, 1, 80, 16), torch.zeros(1, 6, FACE_PX, FACE_PX))
    assert frame.shape == (1, 3, FACE_PX, FACE_PX)


def test_it_exports_for_any_batch_and_type() -> None:
    net = folded(Wav2Lip().half())
    mel, faces = torch.zeros(2, 1, 80, 16).half(), torch.zeros(2, 6, FACE_PX, FACE_PX).half()
    frames = torch.export.Dim("frames", min=1, max=64)
    program = torch.export.export(net, (mel, faces), dynamic_shapes=({0: frames}, {0: frames}))
    outputs = [node for node in program.graph.nodes if node.op == "output"]
    (frame,) = (argument.meta["val"] for argument in outputs[0].args[0])
    assert frame.dtype == torch.float16
    assert not isinstance(frame.shape[0], int)
