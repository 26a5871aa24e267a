"""The packets of one track of a file, up to its end."""

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

StreamT = TypeVar("StreamT", "AudioStream", "VideoStream")


def packets_of(container: "InputContainer", stream: StreamT) -> "Iterator[Packet[StreamT]]":
    """Yield a track's packets, and an empty one that makes a decoder give away what it holds.

    Where tracks appear midway, as damage does in transport streams, PyAV 18 stumbles over them
    once everything has been read.
    """
    packets = iter(container.demux(stream))
    while True:
        try:
            packet = next(packets)
        except (IndexError, StopIteration):
            return
        yield packet
