import subprocess
import sys
from pathlib import Path

import pytest

from app.weights.__main__ import main
from app.weights.seeded import seeded
from app.weights.store import WeightStore
from app.weights.tensor_file import Source
from app.weights.weight_file import HubFile
from tests.unit.weights.conftest import PLAIN, FakeDownload
from tests.unit.weights.hub_server import serving
from tests.unit.weights.published import saved, stitching_content, stitching_file


def test_fetch_then_verify_succeeds_and_tells_the_licence(
    store: WeightStore, download: FakeDownload, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fetch", "one"], store, download) == 0
    assert "Apache-2.0, nobody" in capsys.readouterr().out
    assert main(["verify", "one"], store, download) == 0
    assert main(["verify"], store, download) == 1
    assert "python -m app.weights fetch two" in capsys.readouterr().out


def test_list_shows_what_is_stored(store: WeightStore, capsys: pytest.CaptureFixture[str]) -> None:
    store.save("two/c.bin", PLAIN)
    assert main(["list"], store) == 0
    shown = capsys.readouterr().out
    assert shown.count("verified") == 1
    assert shown.count("absent") == 2


def test_an_unknown_group_fails_on_stderr(
    store: WeightStore, download: FakeDownload, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fetch", "three"], store, download) == 1
    captured = capsys.readouterr()
    assert "one, two" in captured.err
    assert not captured.out.strip()


@pytest.mark.parametrize("arguments", [[], ["fetch"], ["nonsense"]])
def test_wrong_usage_exits_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return saved(tmp_path / "mine.pth", stitching_content())


def test_import_tells_how_the_file_was_known_and_its_licence(
    tmp_path: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = WeightStore(tmp_path / "store", [stitching_file(checkpoint)])
    assert main(["import", "stitching", str(checkpoint)], store) == 0
    shown = capsys.readouterr().out
    assert "recognised as the published file" in shown
    assert "MIT, nobody. Be kind." in shown
    assert main(["verify"], store) == 0
    assert main(["list"], store) == 0
    assert "published" in capsys.readouterr().out


def test_verify_names_every_key_and_shape_that_differs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = stitching_file()
    store = WeightStore(tmp_path / "store", [file])
    for checkpoint in file.checkpoints:
        tensors = seeded(checkpoint.network)
        if checkpoint.name == "retarget_mouth":
            tensors["other"] = tensors.pop("mlp.0.bias")
            tensors["mlp.6.bias"] = tensors["mlp.6.bias"][:5]
        store.save_checkpoint(file, checkpoint, tensors, Source("a.pth", "1"))
    assert main(["verify", "small"], store) == 1
    shown = capsys.readouterr().out
    assert "small/stitching.pth: of another layout" in shown
    assert "retarget_mouth: missing: mlp.0.bias" in shown
    assert "retarget_mouth: unexpected: other" in shown
    assert "mlp.6.bias is float32[5], not float32[63]" in shown
    assert "Run: python -m app.weights import stitching PATH" in shown


def test_fetch_takes_another_hub(
    tmp_path: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = stitching_file(checkpoint, HubFile("owner/name", "main", "a.pth"))
    store = WeightStore(tmp_path / "store", [file])
    with serving(checkpoint.read_bytes()) as hub:
        assert main(["fetch", "small", "--hub", f"{hub.url}/"], store) == 0
        assert hub.asked == [("/owner/name/resolve/main/a.pth", "")]
    assert "MIT, nobody" in capsys.readouterr().out


def test_the_command_starts_without_torch() -> None:
    check = "import sys, app.weights.__main__; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
