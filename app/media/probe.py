"""What is really in a video: every packet decoded, for tests, the demo's check and benchmarks."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import av
from av.error import FFmpegError

from app.errors import UnsupportedMedia

if TYPE_CHECKING:
    from av.packet import Packet
    from av.stream import Stream


@dataclass(frozen=True, slots=True)
class TrackFacts:
    """One track after decoding all of it.

    Attributes:
        codec: FFmpeg's name, such as "h264" or "aac".
        start_s: media time of the first decoded picture or sample.
        end_s: media time past the last packet, as the container says.
        packets: how many there are.
        keyframes: how many of them decoding can start at.
        decoded: pictures, or samples per channel.
        errors: packets that the decoder refused.
    """

    codec: str
    start_s: Fraction
    end_s: Fraction
    packets: int
    keyframes: int
    decoded: int
    errors: int


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """A video after decoding all of it.

    Attributes:
        width: px.
        height: px.
        fps: average frame rate that the stamps give, exact; 0 for a single picture.
        is_constant_rate: whether all pictures are equally far apart.
        pixel_format: FFmpeg's name, such as "yuv420p".
        colours: (matrix, range, primaries, transfer) as FFmpeg's numbers; all 1 is BT.709 in
            limited range.
        picture: the video track.
        sound: the sound track, if there is one.
        tags: text of the container by name.
    """

    width: int
    height: int
    fps: Fraction
    is_constant_rate: bool
    pixel_format: str
    colours: tuple[int, int, int, int]
    picture: TrackFacts
    sound: TrackFacts | None
    tags: Mapping[str, str]

    @property
    def frames(self) -> int:
        """How many pictures were decoded."""
        return self.picture.decoded


def probe_video(data: bytes) -> VideoFacts:
    """Return what decoding the whole video shows.

    Args:
        data: a whole file of any container that FFmpeg reads.

    Raises:
        UnsupportedMedia: no container that can be read, or one without a picture track.
    """
    try:
        with av.open(io.BytesIO(data), "r", metadata_errors="replace") as container:
            if not container.streams.video:
                raise UnsupportedMedia("The file has no picture track.")
            return _facts(container)
    except FFmpegError:
        raise UnsupportedMedia("The file is not a video that can be read.") from None


def _facts(container: av.container.InputContainer) -> VideoFacts:
    video, sounds = container.streams.video[0], container.streams.audio[:1]
    picture, sound = _Tally(video.codec_context.name), None
    tallies = {video.index: picture}
    for stream in sounds:
        sound = tallies[stream.index] = _Tally(stream.codec_context.name)
    for packet in container.demux([video, *sounds]):
        tallies[packet.stream_index].add(packet)
    stamps = sorted(picture.stamps)
    gaps = {after - before for before, after in pairwise(stamps)}
    span = stamps[-1] - stamps[0] if stamps else Fraction(0)
    codec = video.codec_context
    return VideoFacts(
        width=codec.width,
        height=codec.height,
        fps=(len(stamps) - 1) / span if span else Fraction(0),
        is_constant_rate=len(gaps) <= 1,
        pixel_format=codec.pix_fmt or "",
        colours=(codec.colorspace, codec.color_range, codec.color_primaries, codec.color_trc),
        picture=picture.facts(),
        sound=sound.facts() if sound else None,
        tags=dict(container.metadata),
    )


class _Tally:
    """Counts what one stream holds while its packets are decoded."""

    def __init__(self, codec: str) -> None:
        self._codec = codec
        self.stamps: list[Fraction] = []
        self._end = Fraction(0)
        self._packets = self._keyframes = self._decoded = self._errors = 0

    def add(self, packet: "Packet[Stream]") -> None:
        if packet.size and packet.pts is not None and packet.time_base is not None:
            self._packets += 1
            self._keyframes += packet.is_keyframe
            end = (packet.pts + (packet.duration or 0)) * packet.time_base
            self._end = max(self._end, end)
        try:
            frames = packet.decode()
        except FFmpegError:
            self._errors += 1
            return
        for frame in frames:
            assert isinstance(frame, av.VideoFrame | av.AudioFrame)
            self._decoded += frame.samples if isinstance(frame, av.AudioFrame) else 1
            if frame.pts is not None and frame.time_base is not None:
                self.stamps.append(frame.pts * frame.time_base)

    def facts(self) -> TrackFacts:
        return TrackFacts(
            codec=self._codec,
            start_s=min(self.stamps, default=Fraction(0)),
            end_s=self._end,
            packets=self._packets,
            keyframes=self._keyframes,
            decoded=self._decoded,
            errors=self._errors,
        )
