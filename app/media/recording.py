"""Files of sound: which are accepted, and their samples block by block.

A further container is one more row of `FORMATS`. C audio channels, N samples of a block.
"""

import io
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from app.errors import AudioTooLong, UnsupportedMedia

MIN_RATE_HZ, MAX_RATE_HZ = 4_000, 384_000
_BLOCK_S = 1
# Streaming writers leave 0, 0xFFFFFFFF or (sox) a little under 2 GiB where the size belongs.
_UNKNOWN_SIZE_FROM = 0x7FFF_0000
# Some writers count the header as samples; so little is not worth a refusal.
_SIZE_SLACK_BYTES = 64


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """About a second of sound: (C, N) float32, full scale is 1.0, at `rate_hz`."""

    samples: NDArray[np.float32]
    rate_hz: int


@dataclass(frozen=True, slots=True)
class RecordingFormat:
    """One accepted container.

    Attributes:
        name: as users know it.
        demuxer: FFmpeg's name; no other demuxer gets to see the bytes.
        matches: whether the bytes are such a file, by their first few.
        is_cut: whether the file announces more bytes than it has.
        announces_samples: whether a duration in the header is exact, so that fewer decoded
            samples mean damage.
    """

    name: str
    demuxer: str
    matches: Callable[[bytes], bool]
    is_cut: Callable[[bytes], bool]
    announces_samples: bool


def read_blocks(data: bytes, max_s: float) -> Iterator[Block]:
    """Yield the recording's first sound track, all blocks at one rate and channel count.

    Args:
        data: a whole WAV or FLAC file.
        max_s: longest recording; decoding stops once it is exceeded.

    Raises:
        AudioTooLong: more than `max_s` seconds.
        UnsupportedMedia: another format, no sound track, not-a-number samples, a rate outside
            [4, 384] kHz or that changes, or a file that is damaged or ends early.
    """
    recording_format = _sniff(data)
    if recording_format.is_cut(data):
        raise _cut()
    try:
        with av.open(
            io.BytesIO(data), "r", format=recording_format.demuxer, metadata_errors="replace"
        ) as container:
            if not container.streams.audio:
                raise UnsupportedMedia("The audio file has no sound track.", _hint())
            announced = container.streams.audio[0].duration or 0
            count = 0
            for block in _joined(_frames(container)):
                count += block.samples.shape[1]
                if count > max_s * block.rate_hz:
                    raise AudioTooLong(
                        f"The audio is longer than {max_s:g} seconds.", "Send a shorter recording."
                    )
                yield block
    except FFmpegError:
        raise _cut() from None
    if recording_format.announces_samples and count < announced:
        raise _cut()


def _sniff(data: bytes) -> RecordingFormat:
    for recording_format in FORMATS:
        if recording_format.matches(data):
            return recording_format
    raise UnsupportedMedia("The audio is not a recording of a known format.", _hint())


def _frames(container: av.container.InputContainer) -> Iterator[Block]:
    """Yield what the decoder yields, as float32, and check it."""
    rate = channels = 0
    for frame in container.decode(container.streams.audio[0]):
        try:
            raw = frame.to_ndarray()
        except ValueError:
            raise UnsupportedMedia("The audio's sample format is not known.", _hint()) from None
        planar = raw if frame.format.is_planar else raw.reshape(-1, frame.layout.nb_channels).T
        rate, channels = rate or frame.sample_rate, channels or len(planar)
        if frame.sample_rate != rate or len(planar) != channels:
            raise UnsupportedMedia("The audio changes its rate or channels midway.", _hint())
        if not MIN_RATE_HZ <= rate <= MAX_RATE_HZ:
            raise UnsupportedMedia(f"The audio has {rate} samples a second.", _hint())
        yield Block(_full_scale(planar), rate)


def _full_scale(samples: NDArray[np.generic]) -> NDArray[np.float32]:
    """Return float32 samples whose full scale is 1.0; unsigned bytes are centred on 128."""
    if samples.dtype == np.uint8:
        return ((samples.astype(np.float32) - 128) / 128).astype(np.float32)
    if np.issubdtype(samples.dtype, np.integer):
        full_scale = -float(np.iinfo(samples.dtype.name).min)
        return (samples.astype(np.float32) / np.float32(full_scale)).astype(np.float32)
    floats = samples.astype(np.float32)
    if not np.isfinite(floats).all():
        raise UnsupportedMedia("The audio holds samples that are not numbers.", _hint())
    # Sums of huge numbers further on would not be finite any more.
    return floats.clip(-1, 1)


def _joined(frames: Iterator[Block]) -> Iterator[Block]:
    """Join decoder frames to blocks of about a second: a fifth of the time per sample."""
    waiting: list[NDArray[np.float32]] = []
    rate = count = 0
    for frame in frames:
        rate = frame.rate_hz
        waiting.append(frame.samples)
        count += frame.samples.shape[1]
        if count >= _BLOCK_S * rate:
            yield Block(np.concatenate(waiting, axis=1), rate)
            waiting, count = [], 0
    if waiting:
        yield Block(np.concatenate(waiting, axis=1), rate)


def _is_wav(data: bytes) -> bool:
    return data[:4] in (b"RIFF", b"RF64") and data[8:12] == b"WAVE"


def _is_cut_wav(data: bytes) -> bool:
    """Whether the data chunk, or the way to it, points past the last byte (EBU Tech 3306)."""
    at, wide_size = 12, None
    try:
        while True:
            kind, size = struct.unpack_from("<4sI", data, at)
            if kind == b"ds64":
                (wide_size,) = struct.unpack_from("<Q", data, at + 16)
            elif kind == b"data":
                break
            at += 8 + size + size % 2
    except struct.error:
        return True
    if size == 0xFFFF_FFFF and wide_size is not None:
        size = wide_size
    elif size >= _UNKNOWN_SIZE_FROM:
        return False
    return bool(at + 8 + size > len(data) + _SIZE_SLACK_BYTES)


def _cut() -> UnsupportedMedia:
    return UnsupportedMedia(
        "The audio file is damaged or ends early.", "Upload the whole file again."
    )


def _hint() -> str:
    names = " or ".join(recording_format.name for recording_format in FORMATS)
    return f"Send a {names} recording, mono or stereo."


FORMATS = (
    RecordingFormat("WAV", "wav", _is_wav, _is_cut_wav, announces_samples=False),
    RecordingFormat(
        "FLAC", "flac", lambda data: data[:4] == b"fLaC", lambda data: False, announces_samples=True
    ),
)
