"""Files of video: the packets of their picture track and when each is shown, none decoded.

A picture's rank is its place in the order of presentation, its number that in the file.
"""

import io
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping
from contextlib import suppress
from fractions import Fraction
from itertools import chain
from typing import TYPE_CHECKING

import av
from av.error import FFmpegError
from av.stream import Discard, Disposition

from app.errors import TooLarge, UnsupportedMedia
from app.media.packet_index import is_index_absurd
from app.media.packets import packets_of
from app.media.recording import Abandoned
from app.media.wholeness import is_cut

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

MAX_PACKETS = 150_000
"""Ten minutes at 240 pictures a second; each takes half a kilobyte beside its bytes."""

# So many may be damaged, or one per cent of all.
_FEW_PICTURES, _FEW_SHARE = 2, 0.01

_DEMUXERS = (*("mov", "matroska", "webm", "avi", "mpegts", "mpeg", "flv", "ogg", "gif", "apng"),)
"""FFmpeg's demuxers that read one file and never name another one: no playlists, no streams."""

_DECODERS = (
    *("h264", "hevc", "vp8", "vp9", "libdav1d", "mpeg4", "mpeg1video", "mpeg2video"),
    *("h263", "theora", "mjpeg", "prores", "gif", "apng"),
)

_CUMULATIVE = ("gif", "apng")
"""Codecs that draw each picture on the one before, whatever their packets are flagged as."""

_PHOTO_BRANDS = ("avif", "heic", "heix", "heim", "heis", "mif1")
"""Of photos in a container made for video (ISO/IEC 23008-12); those of sequences differ."""

_COVER = Disposition.attached_pic | Disposition.still_image | Disposition.timed_thumbnails

_HINT = "Send a video such as MP4, MOV, WebM, MKV or AVI, best with H.264."


def opened(data: bytes) -> "InputContainer":
    """Return the container of a file; nothing but these bytes gets opened, whatever they name.

    Raises:
        UnsupportedMedia: another format, a damaged beginning, or fewer bytes than announced.
    """
    options = {
        "format_whitelist": ",".join(_DEMUXERS),
        # FFmpeg decodes a little of each track to see what it is.
        "codec_whitelist": ",".join(_DECODERS),
        # No protocol has this name: whatever a file refers to, nothing gets opened.
        "protocol_whitelist": "none",
        "max_streams": "64",
    }
    if is_index_absurd(data):
        raise UnsupportedMedia("The video file claims more packets than a video has.", _HINT)
    try:
        container = av.open(io.BytesIO(data), "r", options=options, metadata_errors="replace")
    except (FFmpegError, ValueError):
        raise UnsupportedMedia(
            "The file is not a video of a known format, or its beginning is damaged.", _HINT
        ) from None
    if is_cut(data, container.format.name):
        container.close()
        raise damaged()
    return container


class VideoTrack:
    """The picture track of a file, all its packets read.

    Packets bear their number as their time stamp, so that a decoded picture tells which packet it
    comes from, whatever the container's clock says. They are kept, about as large as the file:
    decoding may start again at any key frame without asking the container to seek.

    Args:
        data: the file.
        max_pixels: of one picture; the decoder refuses larger ones.
        is_left: asked before each packet whether nobody waits any more.

    Attributes:
        stream: FFmpeg's track.
        packets: by number.
        numbers: of the pictures that are shown, by rank.
        stamps: when they are shown, by rank, in ticks of `tick_s`; never descending.
        end: tick at which the last one ends.
        tick_s: length of a tick.

    Raises:
        Abandoned: `is_left` said so.
        TooLarge: pictures over `max_pixels`, or over `MAX_PACKETS`.
        UnsupportedMedia: as `opened`; no picture track, one of an unknown codec or without time
            stamps, or a file that is damaged or ends early.
    """

    def __init__(
        self, data: bytes, max_pixels: int, is_left: Callable[[], bool] = lambda: False
    ) -> None:
        if is_left():
            raise Abandoned
        self._container = opened(data)
        try:
            self.stream = _picture_stream(self._container)
            self.stream.codec_context.thread_count = 1
            _check_pixels(self.stream.width, self.stream.height, max_pixels)
            # A macroblock more, as coded sides are whole ones.
            self.stream.codec_context.options = {"max_pixels": str(max_pixels + 65_536)}
            self.tick_s = self.stream.time_base or Fraction(0)
            self.packets: list[Packet[VideoStream]] = self._read(is_left)
            self._order(self._stamps(data, is_left))
        except FFmpegError:
            self.close()
            raise damaged() from None
        except BaseException:
            self.close()
            raise

    def __len__(self) -> int:
        """How many pictures are shown."""
        return len(self.numbers)

    def close(self) -> None:
        """Free the container; may be called twice."""
        self._container.close()
        self.packets = []

    def rank_at(self, time_s: Fraction) -> int:
        """Return which picture is shown at a media time, the first one before it begins."""
        return max(0, bisect_right(self.stamps, time_s // self.tick_s) - 1)

    def rank_of(self, number: int) -> int:
        """Return the rank of a packet's picture, -1 if that is never shown."""
        return self._ranks[number]

    def key_before(self, rank: int, before: int) -> int:
        """Return the last packet, its number below `before`, to start decoding at for a picture.

        Pictures that are shown before a key frame and coded after it may need what lies before
        it, so it serves only those shown from it on. The first packet serves where none does.
        """
        at = bisect_left(self._keys, min(before, self.numbers[rank] + 1)) - 1
        while at > 0 and self._key_ranks[at] > rank:
            at -= 1
        return self._keys[at] if at > 0 else 0

    def is_damage(self, lost: int) -> bool:
        """Whether so many lost pictures are more than a whole file may have."""
        return lost > max(_FEW_PICTURES, _FEW_SHARE * len(self))

    def _read(self, is_left: Callable[[], bool]) -> "list[Packet[VideoStream]]":
        for stream in self._container.streams:
            if stream.index != self.stream.index:
                stream.discard = Discard.all
        packets: list[Packet[VideoStream]] = []
        corrupt = 0
        for packet in packets_of(self._container, self.stream):
            if is_left():
                raise Abandoned
            if not packet.size:
                continue
            if len(packets) == MAX_PACKETS:
                raise TooLarge("The video has too many pictures.", "Send a shorter video.")
            packets.append(packet)
            corrupt += packet.is_corrupt
        if packets and packets[-1].is_corrupt and self._container.format.name != "mpegts":
            raise damaged()
        if corrupt > max(_FEW_PICTURES, _FEW_SHARE * len(packets)):
            raise damaged()
        return packets

    def _stamps(self, data: bytes, is_left: Callable[[], bool]) -> list[int | None]:
        """Return when each packet's picture is shown, as far as the file says."""
        packets = self.packets
        stamps = [packet.dts if packet.pts is None else packet.pts for packet in packets]
        if self._container.format.name != "avi" or self.stream.codec_context.name != "h264":
            return stamps
        # An AVI numbers its pictures as they are coded, and these are shown in another order.
        options = self.stream.codec_context.options
        order = [n for n in _shown_order(data, options, is_left) if n < len(packets)]
        known = sorted(packets[n].dts or 0 for n in order)
        shown = dict(zip(order, known, strict=True))
        return [shown.get(n) for n in range(len(packets))]

    def _order(self, stamps: list[int | None]) -> None:
        """Sort out which packet is shown when."""
        packets = self.packets
        is_cumulative = self.stream.codec_context.name in _CUMULATIVE
        keys = [n for n, packet in enumerate(packets) if packet.is_keyframe and not is_cumulative]
        # What a recording that begins midway holds before its first key frame is never shown.
        first = next((stamps[n] for n in keys if stamps[n] is not None), None)
        shown = [
            (stamp, n)
            for n, stamp in enumerate(stamps)
            if stamp is not None and not (first is not None and stamp < first)
            if not packets[n].is_discard and not _is_hidden(packets[n], self.stream)
        ]
        if not shown or not self.tick_s or 2 * len(shown) < len(packets) - _FEW_PICTURES:
            raise UnsupportedMedia("The video has no time stamps.", _HINT)
        shown.sort()
        self.stamps = array("q", (stamp for stamp, _ in shown))
        self.numbers = array("q", (n for _, n in shown))
        self._ranks = array("q", [-1]) * len(packets)
        for rank, n in enumerate(self.numbers):
            self._ranks[n] = rank
        self._keys = array("q", keys or [0])
        self._key_ranks = array("q", (self._place(stamps[n]) for n in self._keys))
        self.end = self.stamps[-1] + self._last_ticks()
        for n, packet in enumerate(packets):
            packet.pts = n

    def _place(self, stamp: int | None) -> int:
        return len(self) if stamp is None else bisect_left(self.stamps, stamp)

    def _last_ticks(self) -> Fraction:
        """Return how long the last picture stays: by its packet, or as long as the mean one."""
        duration = self.packets[self.numbers[-1]].duration
        if duration and duration > 0:
            return Fraction(duration)
        if len(self) > 1 and self.stamps[-1] > self.stamps[0]:
            return Fraction(self.stamps[-1] - self.stamps[0], len(self) - 1)
        return 1 / ((self.stream.guessed_rate or Fraction(25)) * self.tick_s)


def damaged() -> UnsupportedMedia:
    """Return the error of a file that is not whole."""
    return UnsupportedMedia(
        "The video file is damaged or ends early.", "Upload the whole file again."
    )


def _picture_stream(container: "InputContainer") -> "VideoStream":
    """Return the first track of moving pictures that has a decoder here."""
    streams = [s for s in container.streams.video if not s.disposition & _COVER]
    if not streams or container.metadata.get("major_brand") in _PHOTO_BRANDS:
        raise UnsupportedMedia("The file has no picture track.", _HINT)
    for stream in streams:
        context = stream.codec_context
        if context is not None and context.name in _DECODERS:
            return stream
    raise UnsupportedMedia("The pictures are coded in an unknown way.", _HINT)


def _check_pixels(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise TooLarge(
            f"The video's pictures have {width} x {height} pixels.",
            f"Send a video of at most {max_pixels} pixels a picture, such as 1080p.",
        )


def _shown_order(data: bytes, options: Mapping[str, str], is_left: Callable[[], bool]) -> list[int]:
    """Return the numbers of a file's packets in the order that a decoder shows them in.

    All are decoded, yet without what makes pixels of them.
    """
    order: list[int] = []
    with opened(data) as container:
        stream = _picture_stream(container)
        context = stream.codec_context
        context.thread_count = 1
        context.options = {**options, "skip_loop_filter": "all", "skip_idct": "all"}
        packets = (packet for packet in packets_of(container, stream) if packet.size)
        for number, packet in enumerate(chain(packets, [None])):
            if is_left():
                raise Abandoned
            if packet is not None:
                packet.pts = number
            with suppress(FFmpegError):
                order += [f.pts for f in context.decode(packet) if f.pts is not None]
    return order


def _is_hidden(packet: "Packet[VideoStream]", stream: "VideoStream") -> bool:
    """Whether a packet of VP8 only holds what later pictures refer to (RFC 6386, 9.1)."""
    return stream.codec_context.name == "vp8" and not memoryview(packet)[0] & 0x10
