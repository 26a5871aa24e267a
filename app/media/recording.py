"""Files of sound, or of video with sound: their first sound track, block by block.

C audio channels, N samples of a block.
"""

import io
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
from av.audio.plane import AudioPlane
from av.error import FFmpegError
from numpy.typing import NDArray

from app.errors import AudioTooLong, UnsupportedMedia
from app.media.packet_index import is_index_absurd
from app.media.packets import packets_of
from app.media.wholeness import announced_samples, is_cut

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.packet import Packet

MIN_RATE_HZ, MAX_RATE_HZ = 4_000, 192_000
MAX_CHANNELS = 8
"""Those of 7.1: more is no recording of somebody who speaks."""

_WORK_CHANNELS = 2
"""So many channels at `MAX_RATE_HZ` may be as long as any recording; eight of 48 kHz likewise."""

_BLOCK_S = 1
# Of a lossy recording, bad packets may take a tenth of a second and one per cent.
_LOSS_S, _LOSS_SHARE = 0.1, 0.01

_DEMUXERS = (
    *("wav", "w64", "aiff", "au", "caf", "flac", "wv", "mp3", "aac", "loas", "ac3", "eac3"),
    *("amr", "ogg", "mov", "matroska", "webm", "asf", "avi", "flv", "mpegts", "mpeg"),
)
"""FFmpeg's demuxers that read one file and never name another one: no playlists, no streams."""

_DECODERS = (
    *("aac", "aac_latm", "ac3", "eac3", "alac", "flac", "mp1float", "mp2", "mp2float", "mp3"),
    *("mp3float", "opus", "vorbis", "speex", "wavpack", "wmav1", "wmav2", "wmapro", "amrnb"),
    *("amrwb", "libopencore_amrnb", "libopencore_amrwb", "gsm", "gsm_ms"),
    *("adpcm_ima_qt", "adpcm_ima_wav", "adpcm_ms", "adpcm_yamaha", "pcm_alaw", "pcm_mulaw"),
    *("pcm_s8", "pcm_u8", "pcm_s16be", "pcm_s16le", "pcm_s24be", "pcm_s24le", "pcm_s32be"),
    *("pcm_s32le", "pcm_f32be", "pcm_f32le", "pcm_f64be", "pcm_f64le", "pcm_s64le", "pcm_s64be"),
)

_DTYPES: dict[str, np.dtype[np.generic]] = {
    "u8": np.dtype(np.uint8),
    "s16": np.dtype(np.int16),
    "s32": np.dtype(np.int32),
    "flt": np.dtype(np.float32),
    "dbl": np.dtype(np.float64),
}
"""By FFmpeg's names of sample formats, without the p of planar ones."""

_OPTIONS = {
    "format_whitelist": ",".join(_DEMUXERS),
    # Keeps FFmpeg from decoding a film's pictures or an album's cover while it looks around.
    "codec_whitelist": ",".join(_DECODERS),
    # No protocol has this name: whatever a file refers to, nothing gets opened.
    "protocol_whitelist": "none",
}


class Abandoned(Exception):
    """Nobody waits for this recording any more; never seen by a caller of the product."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """About a second of sound: (C, N) float32, full scale is 1.0, at `rate_hz`."""

    samples: NDArray[np.float32]
    rate_hz: int


def read_blocks(
    data: bytes, max_s: float, is_left: Callable[[], bool] = lambda: False
) -> Iterator[Block]:
    """Yield the file's first sound track, all blocks at one rate and channel count.

    An encoder's delay is skipped where the file states it. Samples follow each other as they are
    decoded, whatever their time stamps say. In a lossy track packets that cannot be decoded
    become silence of their length, as long as they are few.

    Args:
        data: a whole file of any of the containers listed here; its bytes decide which.
        max_s: longest recording; decoding stops once it is exceeded.
        is_left: asked before each packet whether nobody waits any more.

    Raises:
        Abandoned: `is_left` said so.
        AudioTooLong: more than `max_s` seconds, or more samples in all channels than stereo of
            192 kHz has in that time.
        UnsupportedMedia: another format, no sound track, not-a-number samples, more than 8
            channels, a rate outside [4, 192] kHz or that changes, or a file that is damaged or
            ends early.
    """
    if is_left():
        raise Abandoned
    with _opened(data) as container:
        if is_cut(data, container.format.name):
            raise _cut()
        track = _Track(container, is_left)
        count = 0
        try:
            for block in track.blocks():
                count += block.samples.shape[1]
                _check_length(count, block, max_s)
                yield block
        except FFmpegError:
            raise _cut() from None
        if track.is_damaged() or count < announced_samples(data, container.format.name):
            raise _cut()


def start_of_sound(data: bytes, is_left: Callable[[], bool] = lambda: False) -> Fraction | None:
    """Return the media time in seconds of the first sample that `read_blocks` yields.

    None where the container does not say, or where there are no samples.

    Args:
        data: as `read_blocks` takes it.
        is_left: as `read_blocks` takes it.

    Raises:
        Abandoned: `is_left` said so.
        UnsupportedMedia: as `read_blocks`.
    """
    with _opened(data) as container:
        try:
            return _Track(container, is_left).start_s()
        except FFmpegError:
            raise _cut() from None


def _check_length(count: int, block: Block, max_s: float) -> None:
    """Check that a recording, `count` samples long up to the end of a block, may go on."""
    if count > max_s * block.rate_hz:
        raise AudioTooLong(
            f"The audio is longer than {max_s:g} seconds.", "Send a shorter recording."
        )
    if count * len(block.samples) > max_s * _WORK_CHANNELS * MAX_RATE_HZ:
        raise AudioTooLong(
            f"The audio has too many samples in its {len(block.samples)} channels.",
            "Send stereo, a lower sample rate, or a shorter recording.",
        )


def _opened(data: bytes) -> av.container.InputContainer:
    if is_index_absurd(data):
        raise UnsupportedMedia("The audio file claims more packets than a recording has.", _HINT)
    try:
        return av.open(io.BytesIO(data), "r", options=_OPTIONS, metadata_errors="replace")
    except (FFmpegError, ValueError):
        raise UnsupportedMedia(
            "The audio is not a recording of a known format, or its beginning is damaged.", _HINT
        ) from None


class _Track:
    """Decodes a container's first sound track and counts what cannot be decoded.

    Args:
        container: of the track.
        is_left: as `read_blocks` takes it.
    """

    def __init__(self, container: av.container.InputContainer, is_left: Callable[[], bool]) -> None:
        if not container.streams.audio:
            raise UnsupportedMedia("The file has no sound track.", _HINT)
        self._container, self._is_left = container, is_left
        self._stream = container.streams.audio[0]
        context = self._stream.codec_context
        if context is None or context.name not in _DECODERS:
            raise UnsupportedMedia("The sound is coded in an unknown way.", _HINT)
        _check_channels(context.layout)
        self._is_lossless = context.codec.lossless
        self._rate_hz = self._channels = 0
        self._dtype: np.dtype[np.generic] = np.dtype(np.float32)
        self._lost = self._count = 0

    def blocks(self) -> Iterator[Block]:
        """Yield about a second at a time; joined before conversion, packets cost a third less."""
        waiting: list[NDArray[np.generic]] = []
        count = 0
        for raw in self._raw():
            waiting.append(raw)
            count += raw.shape[1]
            if count >= _BLOCK_S * self._rate_hz:
                yield Block(_full_scale(np.concatenate(waiting, axis=1)), self._rate_hz)
                waiting, count = [], 0
        if waiting:
            yield Block(_full_scale(np.concatenate(waiting, axis=1)), self._rate_hz)

    def start_s(self) -> Fraction | None:
        """Return when the first sample is heard, reading as far as that; None if none is."""
        for packet in packets_of(self._container, self._stream):
            if self._is_left():
                raise Abandoned
            with suppress(FFmpegError):
                for frame in packet.decode():
                    if frame.samples and frame.pts is not None and frame.time_base:
                        return frame.pts * frame.time_base
        return None

    def is_damaged(self) -> bool:
        """Whether more was lost than a lossy recording may lose; to be asked at the end."""
        allowed = _LOSS_S * self._rate_hz + _LOSS_SHARE * self._count
        return self._lost > (0 if self._is_lossless else allowed)

    def _raw(self) -> Iterator[NDArray[np.generic]]:
        """Yield what each packet holds, (C, N) as it was coded."""
        # The last AAC or Opus frame of an MP4 holds more than belongs to the recording.
        waiting: tuple[NDArray[np.generic], Packet[AudioStream]] | None = None
        for packet in packets_of(self._container, self._stream):
            if self._is_left():  # packet by packet, because some hold nothing
                raise Abandoned
            raw = self._decoded(packet)
            if raw is None:
                continue
            self._count += raw.shape[1]
            if waiting:
                yield waiting[0]
            waiting = raw, packet
        if waiting:
            raw, packet = waiting
            stated = self._stated(packet)
            is_stated = self._container.format.name.startswith("mov") and stated > 0
            yield raw[:, :stated] if is_stated else raw

    def _decoded(self, packet: "Packet[AudioStream]") -> NDArray[np.generic] | None:
        """Return (C, N), silence for a bad packet, or None where there is nothing."""
        try:
            parts = [self._checked(frame) for frame in packet.decode()]
        except FFmpegError:
            return self._silence(packet)
        parts = [part for part in parts if part.shape[1]]
        if len(parts) > 1:
            return np.concatenate(parts, axis=1)
        return parts[0] if parts else None

    def _silence(self, packet: "Packet[AudioStream]") -> NDArray[np.generic] | None:
        # Nobody's word is taken for more than a second.
        count = min(self._stated(packet), self._rate_hz)
        self._lost += max(1, count)
        return np.zeros((self._channels, count), self._dtype) if count else None

    def _stated(self, packet: "Packet[AudioStream]") -> int:
        """Return how many samples the container says that a packet holds, 0 if it does not."""
        if not packet.duration or not packet.time_base:
            return 0
        return round(packet.duration * packet.time_base * self._rate_hz)

    def _checked(self, frame: av.AudioFrame) -> NDArray[np.generic]:
        """Return a frame's samples, (C, N) as they are coded, after checking their rate."""
        _check_channels(frame.layout)  # each frame says anew how many it has
        planar = _samples(frame)
        if not self._rate_hz:
            self._rate_hz, self._channels, self._dtype = (
                frame.sample_rate,
                len(planar),
                planar.dtype,
            )
            if not MIN_RATE_HZ <= self._rate_hz <= MAX_RATE_HZ:
                raise UnsupportedMedia(f"The audio has {self._rate_hz} samples a second.", _HINT)
        if frame.sample_rate != self._rate_hz or planar.dtype != self._dtype:
            raise UnsupportedMedia("The audio changes its sample rate midway.", _HINT)
        if len(planar) != self._channels:  # as where a broadcast turns from stereo to mono
            mono = planar.mean(axis=0, keepdims=True).astype(self._dtype)
            planar = np.repeat(mono, self._channels, axis=0)
        return planar


def _samples(frame: av.AudioFrame) -> NDArray[np.generic]:
    """Return a copy of a frame's samples, (C, N) as they are coded.

    Not by `to_ndarray`: with 8 planes and more, PyAV 18 counts what lies behind an `AVFrame`'s
    pointers as planes too, and the process dies.
    """
    dtype = _DTYPES.get(frame.format.name.removesuffix("p"))
    if dtype is None:
        raise UnsupportedMedia("The audio's sample format is not known.", _HINT)
    channels, count = frame.layout.nb_channels, frame.samples
    if not count:
        return np.zeros((channels, 0), dtype)
    is_planar = frame.format.is_planar
    planes, length = (channels, count) if is_planar else (1, channels * count)
    raw: NDArray[np.generic] = np.stack(
        [
            np.frombuffer(AudioPlane(frame, plane), dtype, length)  # type: ignore[call-overload]
            for plane in range(planes)
        ]
    )
    return raw if is_planar else raw.reshape(count, channels).T


def _check_channels(layout: av.AudioLayout) -> None:
    if layout.nb_channels > MAX_CHANNELS:
        raise UnsupportedMedia(
            f"The audio has {layout.nb_channels} channels.",
            f"Send at most {MAX_CHANNELS}, best mono or stereo.",
        )


def _full_scale(samples: NDArray[np.generic]) -> NDArray[np.float32]:
    """Return float32 samples whose full scale is 1.0; unsigned bytes are centred on 128."""
    if samples.dtype == np.uint8:
        return ((samples.astype(np.float32) - 128) / 128).astype(np.float32)
    if np.issubdtype(samples.dtype, np.integer):
        full_scale = -float(np.iinfo(samples.dtype.name).min)
        return (samples.astype(np.float32) / np.float32(full_scale)).astype(np.float32)
    floats = samples.astype(np.float32)
    if not np.isfinite(floats).all():
        raise UnsupportedMedia("The audio holds samples that are not numbers.", _HINT)
    # Sums of huge numbers further on would not be finite any more.
    return floats.clip(-1, 1)


def _cut() -> UnsupportedMedia:
    return UnsupportedMedia(
        "The audio file is damaged or ends early.", "Upload the whole file again."
    )


_HINT = "Send a recording such as WAV, FLAC, MP3, M4A, Ogg, Opus, WebM or MP4."
