"""`python -m app.training` from speech to a file that the net loads."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from app.models.viseme.controls import Controls
from app.synthesis.corpus import Counts
from app.synthesis.utterance import SynthesisError, Utterance
from app.training import __main__ as command
from app.training.clips import Clip
from tests.unit.training.made_up import beating_clip, buzzing

needs_espeak = pytest.mark.skipif(not shutil.which("espeak-ng"), reason="no espeak-ng here")


@needs_espeak
def test_the_net_is_trained_from_nothing_and_loads(root: Path, tmp_path: Path) -> None:
    made = tmp_path / "controls.safetensors"
    words = "viseme --engines espeak --share 0.01 --steps 5 --seed 3 --out"
    done = subprocess.run(
        [sys.executable, "-m", "app.training", *words.split(), made],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert f"{made}: 1.04 MB" in done.stdout
    net = Controls()
    net.load_state_dict(load_file(made))
    with torch.inference_mode():
        heard = net.eval()(torch.zeros(2, 80, 32))
    assert heard.shape == (2, 8)
    assert heard.isfinite().all()
    with safe_open(made, "numpy") as file:
        assert file.metadata()["net"] == "viseme"
        assert file.metadata()["seed"] == "3"


@pytest.mark.parametrize("net", ["viseme", "aligner"])
def test_a_file_of_ones_own_is_as_the_package_reads_it(
    net: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def clips(*_: object) -> list[Clip]:
        return [beating_clip()]

    monkeypatch.setattr(command, "clips_of", clips)
    made = tmp_path / "made.safetensors"
    assert command.main([net, "--steps", "2", "--out", str(made)]) == 0
    with safe_open(made, "numpy") as mine, safe_open(command._FILES[net], "numpy") as shipped:
        assert set(mine.keys()) == set(shipped.keys())
        for name in mine.keys():  # noqa: SIM118
            one, other = mine.get_tensor(name), shipped.get_tensor(name)
            assert (one.shape, one.dtype) == (other.shape, other.dtype)


def test_clips_are_of_speech_and_of_none(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def said(split: str, counts: object, seed: int, processes: int) -> list[Utterance]:
        asked.append((split, counts, seed))
        return [buzzing() for _ in range(9)]

    monkeypatch.setattr(command, "utterances", said)
    one, again, other = (command.clips_of(seed, 1, 0.01, ["espeak"]) for seed in (1, 1, 2))
    split, counts, _ = asked[0]
    assert split == "training"
    assert counts == Counts(espeak=9, flite=0, festival=0)
    spoken = [clip.controls.max() > 0 for clip in one]
    assert spoken == [True, True, False]
    assert all((a.mel == b.mel).all() for a, b in zip(one, again, strict=True))
    assert not all(a.mel.shape == b.mel.shape for a, b in zip(one, other, strict=True))


def test_an_engine_that_is_missing_is_said_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def absent(*_: object) -> list[Clip]:
        raise SynthesisError("flite is not here")

    monkeypatch.setattr(command, "clips_of", absent)
    made = tmp_path / "made.safetensors"
    assert command.main(["viseme", "--out", str(made)]) == 1
    assert capsys.readouterr().err == "app.training: flite is not here\n"
    assert not made.exists()
