"""Motion sequences as files: `.npz` archives of plain arrays, never pickles.

Keys: `fps` (), `scale` (T, 1), `R` (T, 3, 3), `exp` (T, 21, 3), `t` (T, 3), and optionally the
openings `eyes` (T, 2) and `lip` (T, 1), all floating. T frames. Headers are read before arrays,
so a file can claim no more memory than its keys allow.
"""

import ast
import io
import math
import zipfile
import zlib
from dataclasses import dataclass
from fractions import Fraction
from typing import IO, Any, Final

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from app.driving import HeadMotion, Performance
from app.errors import AppError, BadRequest, TooLarge, UnsupportedMedia
from app.timeline import parse_fps
from app.variants.liveportrait.pose import KEY_POINTS

Floats = NDArray[np.float32]

MAX_FRAMES: Final = 36_000
"""Ten minutes at 60 frames per second, 11 MB."""

_SHAPES: Final[dict[str, tuple[int, ...]]] = {
    "scale": (1,),
    "R": (3, 3),
    "exp": (KEY_POINTS, 3),
    "t": (3,),
    "eyes": (2,),
    "lip": (1,),
}
_OPTIONAL = {"eyes", "lip"}
_TYPES = {"<f2", "<f4", "<f8"}
_MAX_HEADER_BYTES = 1000
# Far beyond what faces do, near enough to keep every later product finite.
_LIMITS: Final = {"scale": (0.01, 100.0), "exp": (-10, 10), "t": (-10, 10), "R": (-1.1, 1.1)}
_OPENING_LIMITS = (0, 10)
_ORTHOGONAL_WITHIN = 0.01
_FIRST_DATE = (1980, 1, 1, 0, 0, 0)
_HINT = "Send a motion sequence as POST /v1/motions returns it."


@dataclass(frozen=True, slots=True, eq=False)
class MotionSequence:
    """A driving motion and its rate.

    Attributes:
        performance: T frames.
        fps: exact, in [1, 60].
    """

    performance: Performance
    fps: Fraction


def dump(sequence: MotionSequence) -> bytes:
    """Return the sequence as a file; equal sequences give equal bytes."""
    performance = sequence.performance
    motion = performance.motion
    arrays: dict[str, NDArray[Any] | None] = {
        "fps": np.array(float(sequence.fps)),
        "scale": motion.scale,
        "R": motion.rotation,
        "exp": motion.exp,
        "t": motion.t,
        "eyes": performance.eyes,
        "lip": performance.lips,
    }
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, array in arrays.items():
            if array is not None:
                content = io.BytesIO()
                npy.write_array(content, array, version=(1, 0), allow_pickle=False)
                entry = zipfile.ZipInfo(f"{key}.npy", _FIRST_DATE)
                archive.writestr(entry, content.getvalue(), zipfile.ZIP_DEFLATED)
    return target.getvalue()


def load(data: bytes, max_frames: int = MAX_FRAMES) -> MotionSequence:
    """Return the sequence that a file holds.

    Args:
        data: the file, from anyone.
        max_frames: the longest that is read.

    Raises:
        UnsupportedMedia: not such an archive, or a damaged one.
        BadRequest: keys, shapes, types, the frame rate or values are not a motion's.
        TooLarge: more than `max_frames`.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            arrays = _arrays(archive, max_frames)
    except AppError:
        raise
    # What zipfile and zlib raise on damaged, encrypted (RuntimeError) or oddly packed files
    # (NotImplementedError, a RuntimeError too).
    except (zipfile.BadZipFile, zlib.error, RuntimeError, ValueError, EOFError, OSError) as error:
        detail = "The motion sequence is not a readable .npz file."
        raise UnsupportedMedia(detail, _HINT) from error
    fps = float(arrays.pop("fps"))
    if not math.isfinite(fps) or fps <= 0:
        raise BadRequest("The motion sequence's fps is not a frame rate.", _HINT)
    _check(arrays)
    motion = HeadMotion(arrays["R"], arrays["exp"], arrays["scale"], arrays["t"])
    rate = parse_fps(f"{fps:.9f}")
    return MotionSequence(Performance(motion, arrays.get("eyes"), arrays.get("lip")), rate)


def _arrays(archive: zipfile.ZipFile, max_frames: int) -> dict[str, Floats]:
    """Return the archive's arrays by key, float32, of the right shapes."""
    entries = archive.infolist()
    names = [entry.filename for entry in entries]
    known = {f"{key}.npy" for key in ("fps", *_SHAPES)}
    missing = known - {f"{key}.npy" for key in _OPTIONAL} - set(names)
    if missing or set(names) - known or len(names) > len(set(names)):
        needed = ", ".join(key for key in ("fps", *_SHAPES) if key not in _OPTIONAL)
        raise BadRequest(f"The motion sequence needs {needed}, and may have eyes and lip.", _HINT)
    arrays: dict[str, Floats] = {}
    frames: int | None = None
    for entry in entries:
        key = entry.filename.removesuffix(".npy")
        with archive.open(entry) as file:
            array = _array(file, key, frames, max_frames)
        if key != "fps":
            frames = len(array)
        arrays[key] = array
    return arrays


def _array(file: IO[bytes], key: str, frames: int | None, max_frames: int) -> Floats:
    """Return one array; its header is checked before its data are read."""
    shape, by_columns, dtype = _header(file)
    rows = () if key == "fps" else shape[:1]
    if shape != (*rows, *_SHAPES.get(key, ())) or dtype not in _TYPES:
        raise BadRequest(f"The motion sequence's {key} has a wrong shape or type.", _HINT)
    if rows and rows[0] > max_frames:
        detail = f"The motion sequence has more than {max_frames} frames."
        raise TooLarge(detail, "Send a shorter one.")
    if rows and (not rows[0] or rows[0] != (frames or rows[0])):
        raise BadRequest("The motion sequence's arrays are empty or differ in length.", _HINT)
    size = math.prod(shape) * np.dtype(dtype).itemsize
    content = file.read(size + 1)
    if len(content) != size:
        raise ValueError(f"{key} is not as long as its header says")
    flat = np.frombuffer(content, dtype)
    array = flat.reshape(shape[::-1]).T if by_columns else flat.reshape(shape)
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(array, np.float32).reshape(shape)


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, str]:
    """Return shape, whether columns come first, and type of the array that follows.

    Our own, because numpy's reader builds whatever type a header names.

    Raises:
        ValueError: not a header.
    """
    version = npy.read_magic(file)
    length = int.from_bytes(file.read(2 if version == (1, 0) else 4), "little")
    if version not in {(1, 0), (2, 0)} or length > _MAX_HEADER_BYTES:
        raise ValueError("unknown version or header")
    try:
        header = ast.literal_eval(file.read(length).decode("latin1").strip())
    except (SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError("unreadable header") from error
    match header:
        case {"descr": str(dtype), "fortran_order": bool(by_columns), "shape": tuple(shape)}:
            if all(isinstance(side, int) and side >= 0 for side in shape):
                return shape, by_columns, dtype
    raise ValueError("incomplete header")


def _check(arrays: dict[str, Floats]) -> None:
    """Raise BadRequest unless the values are a motion's."""
    for key, array in arrays.items():
        low, high = _LIMITS.get(key, _OPENING_LIMITS)
        # A comparison with NaN is false.
        if not bool(((array >= low) & (array <= high)).all()):
            raise BadRequest(f"The motion sequence's {key} has values out of range.", _HINT)
    rotation = arrays["R"]
    unit = rotation @ rotation.transpose(0, 2, 1) - np.eye(3, dtype=np.float32)
    if np.abs(unit).max() > _ORTHOGONAL_WITHIN or np.linalg.det(rotation).min() < 0:
        raise BadRequest("The motion sequence's R are not rotations.", _HINT)
