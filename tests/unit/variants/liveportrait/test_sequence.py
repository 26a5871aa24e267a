import contextlib
import io
import zipfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.driving import HeadMotion, Performance
from app.errors import AppError, BadRequest, TooLarge, UnsupportedMedia
from app.variants.liveportrait.pose import rotations
from app.variants.liveportrait.sequence import MotionSequence, dump, load

Arrays = dict[str, NDArray[Any]]


def arrays(frames: int = 4, dtype: str = "<f4") -> Arrays:
    rng = np.random.default_rng(0)
    angles = (rng.normal(0, 10, (frames, 1)).astype(np.float32) for _ in range(3))
    made: Arrays = {
        "fps": np.array(29.97),
        "scale": np.full((frames, 1), 1.5),
        "R": rotations(*angles),
        "exp": rng.normal(0, 0.05, (frames, 21, 3)),
        "t": rng.normal(0, 0.1, (frames, 3)),
        "eyes": np.full((frames, 2), 0.3),
        "lip": np.full((frames, 1), 0.1),
    }
    return {key: array.astype(dtype) for key, array in made.items()}


def packed(contents: Arrays) -> bytes:
    target = io.BytesIO()
    np.savez_compressed(target, **contents)  # type: ignore[arg-type]
    return target.getvalue()


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8"])
def test_what_numpy_saves_is_read(dtype: str) -> None:
    contents = arrays(dtype=dtype)
    sequence = load(packed(contents))
    assert sequence.fps == Fraction(30000, 1001) or dtype == "<f2"
    assert sequence.performance.eyes is not None
    assert sequence.performance.lips is not None
    found = [
        *(getattr(sequence.performance.motion, name) for name in ("scale", "rotation", "exp", "t"))
    ]
    for array, key in zip(
        [*found, sequence.performance.eyes, sequence.performance.lips],
        ["scale", "R", "exp", "t", "eyes", "lip"],
        strict=True,
    ):
        assert array.dtype == np.float32
        assert array.flags.c_contiguous
        np.testing.assert_array_equal(array, contents[key].astype(np.float32))


def test_columns_first_are_read_too() -> None:
    contents = arrays()
    contents["R"] = np.asfortranarray(contents["R"])
    np.testing.assert_array_equal(load(packed(contents)).performance.motion.rotation, contents["R"])


@pytest.mark.parametrize("fps", [Fraction(25), Fraction(24000, 1001), Fraction(60000, 1001)])
def test_a_dumped_sequence_comes_back_and_its_bytes_repeat(fps: Fraction) -> None:
    contents = arrays()
    motion = HeadMotion(*(contents[key] for key in ("R", "exp", "scale", "t")))
    sequence = MotionSequence(Performance(motion), fps)
    again = load(dump(sequence))
    assert again.fps == fps
    assert again.performance.eyes is None
    assert again.performance.lips is None
    np.testing.assert_array_equal(again.performance.motion.exp, contents["exp"])
    assert dump(again) == dump(sequence)
    with np.load(io.BytesIO(dump(sequence)), allow_pickle=False) as read:
        np.testing.assert_array_equal(read["R"], contents["R"])


def test_real_sequences_are_read(shared_media: Path) -> None:
    files = sorted((shared_media / "motion").glob("*.npz"))
    assert len(files) == 6
    for file in files:
        sequence = load(file.read_bytes())
        assert len(sequence.performance.motion) > 50
        assert sequence.fps in {20, 25, 30}
    assert load((shared_media / "motion" / "d8.npz").read_bytes()).performance.eyes is not None


def without(key: str) -> Arrays:
    return {name: array for name, array in arrays().items() if name != key}


def changed(key: str, array: NDArray[Any]) -> Arrays:
    return {**arrays(), key: array}


NAN = np.full((4, 3), np.nan, np.float32)
BAD = {
    "no rate": without("fps"),
    "no rotation": without("R"),
    "another key": changed("kp", np.zeros((4, 21, 3), np.float32)),
    "short array": changed("t", np.zeros((3, 3), np.float32)),
    "wrong shape": changed("exp", np.zeros((4, 63), np.float32)),
    "empty": {key: array[:0] if array.ndim else array for key, array in arrays().items()},
    "integers": changed("t", np.zeros((4, 3), np.int64)),
    "complex": changed("t", np.zeros((4, 3), np.complex64)),
    "big endian": changed("t", np.zeros((4, 3), ">f4")),
    "not a number": changed("t", NAN),
    "infinite in float32": changed("t", np.full((4, 3), 1e300)),
    "no size": changed("scale", np.zeros((4, 1), np.float32)),
    "far away": changed("t", np.full((4, 3), 1e6, np.float32)),
    "mirrored": changed("R", np.repeat(np.diag([1, 1, -1])[None], 4, 0).astype(np.float32)),
    "not rotations": changed("R", np.full((4, 3, 3), 0.9, np.float32)),
    "no rate at all": changed("fps", np.array(np.nan, np.float32)),
    "backwards": changed("fps", np.array(-25.0, np.float32)),
    "rate out of range": changed("fps", np.array(1e9, np.float32)),
    "many rates": changed("fps", np.full(4, 25, np.float32)),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_motion_is_refused(name: str) -> None:
    with pytest.raises(BadRequest):
        load(packed(BAD[name]))


def test_pickles_are_never_read() -> None:
    with pytest.raises(BadRequest):
        load(packed(changed("t", np.array([{"a": 1}] * 4, object))))


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"no archive", b"\x80\x04K\x01."])
def test_what_is_no_archive_is_refused(data: bytes) -> None:
    with pytest.raises(UnsupportedMedia):
        load(data)


def test_long_sequences_are_refused_before_they_are_unpacked() -> None:
    with pytest.raises(TooLarge):
        load(packed(arrays(frames=11)), max_frames=10)
    assert len(load(packed(arrays(frames=10)), max_frames=10).performance) == 10


def test_a_header_that_claims_more_than_is_there_is_refused() -> None:
    whole = io.BytesIO(packed(arrays()))
    target = io.BytesIO()
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(target, "w") as forged:
        for name in source.namelist():
            content = source.read(name)
            forged.writestr(name, content[:-4] if name == "t.npy" else content)
    with pytest.raises(UnsupportedMedia):
        load(target.getvalue())


@pytest.mark.parametrize("header", ["{}", "[" * 900, "{'descr': '<f4'}", "\0", "x" * 900, "1"])
def test_odd_headers_are_refused(header: str) -> None:
    text = header.encode()
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as forged:
        for key in arrays():
            size = len(text).to_bytes(2, "little")
            forged.writestr(f"{key}.npy", b"\x93NUMPY\x01\x00" + size + text)
    with pytest.raises(UnsupportedMedia):
        load(target.getvalue())


@settings(deadline=None)
@given(st.integers(0, 10**6), st.binary(min_size=1, max_size=8))
def test_damage_is_refused_or_harmless(where: int, patch: bytes) -> None:
    data = bytearray(packed(arrays()))
    start = where % len(data)
    data[start : start + len(patch)] = patch
    with contextlib.suppress(AppError):
        load(bytes(data))
