from dataclasses import replace
from pathlib import Path

import pytest

from app.runtime.engine_file import (
    EngineKey,
    EngineRefused,
    read_engine,
    write_engine,
)
from app.runtime.tensorrt import load_or_build

KEY = EngineKey(
    net="wav2lip",
    weights="0" * 64,
    inputs=("faces (96, 96, 3) torch.uint8", "mel (80, 16) torch.float32"),
    buckets=(1, 4),
    precision="fp16",
    workspace=1 << 30,
    gpu="NVIDIA H200 9.0",
    library="tensorrt 10.13.3",
)


def test_an_engine_comes_back_for_its_key(tmp_path: Path) -> None:
    path = tmp_path / "engines" / KEY.file_name()
    write_engine(path, KEY, b"plan\nof bytes")
    assert read_engine(path, KEY) == b"plan\nof bytes"
    assert [each.name for each in path.parent.iterdir()] == [KEY.file_name()]


@pytest.mark.parametrize(
    "other",
    [
        {"net": "motion"},
        {"weights": "1" * 64},
        {"inputs": ("mel (80, 16) torch.float32",)},
        {"buckets": (1, 8)},
        {"precision": "int8"},
        {"workspace": 1},
        {"gpu": "NVIDIA A100 8.0"},
        {"library": "tensorrt 8.6.0"},
        {"graph": 0},
    ],
    ids=lambda other: next(iter(other)),
)
def test_any_other_key_is_refused(other: dict[str, object], tmp_path: Path) -> None:
    changed = replace(KEY, **other)  # type: ignore[arg-type]
    write_engine(tmp_path / "engine", KEY, b"plan")
    with pytest.raises(EngineRefused, match=rf"something else \({next(iter(other))}: "):
        read_engine(tmp_path / "engine", changed)
    assert changed.file_name() != KEY.file_name()


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "engine"
    write_engine(path, KEY, b"plan")
    whole = path.read_bytes()
    for content, said in (
        (whole[:-1], "damaged"),
        (whole[:-4] + b"flan", "damaged"),
        (whole[:40] + b"\n", "damaged"),
        (whole.replace(b'"key"', b'"kay"'), "damaged"),
        (b"ONNX", "no engine file"),
        (b"", "no engine file"),
    ):
        path.write_bytes(content)
        with pytest.raises(EngineRefused, match=said):
            read_engine(path, KEY)


def test_engines_are_built_once_and_again_when_damaged(tmp_path: Path) -> None:
    made: list[bytes] = []

    def make() -> bytes:
        made.append(b"plan")
        return b"plan"

    for _ in range(2):
        assert load_or_build(tmp_path, KEY, make) == b"plan"
    assert len(made) == 1
    (tmp_path / KEY.file_name()).write_bytes(b"cut")
    assert load_or_build(tmp_path, KEY, make) == b"plan"
    assert load_or_build(tmp_path, KEY, make) == b"plan"
    assert len(made) == 2
