"""Pictures of a track by their rank, decoded from any of them on."""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from av.error import FFmpegError

from app.media.recording import Abandoned
from app.media.video_track import VideoTrack, damaged

if TYPE_CHECKING:
    import av


class PictureDecoder:
    """Decodes a track forward and starts again where it is asked to.

    Pictures that cannot be decoded, or only with errors, are left out and counted, each once.
    What a decoder cannot know after a start midway is not taken for damage.

    Args:
        track: whose packets are decoded, on the calling thread.
        is_left: asked before each packet whether nobody waits any more.

    Attributes:
        rank: of the last picture that came out since the last start, -1 if none has.
    """

    def __init__(self, track: VideoTrack, is_left: Callable[[], bool] = lambda: False) -> None:
        self._track, self._is_left = track, is_left
        self._context = track.stream.codec_context
        self._at = self._start = self._start_rank = 0
        self._ready: deque[tuple[int, av.VideoFrame]] = deque()
        self._lost: set[int] = set()
        # H.264 says what it misses; there, a packet without a picture may be half of one.
        self._are_absent_lost = self._context.name != "h264"
        self.rank = -1

    @property
    def has_started_midway(self) -> bool:
        """Whether decoding last started at a later packet than the first."""
        return self._start > 0

    def go_to(self, rank: int) -> bool:
        """Have `next` come to a picture soon: decode on, or from a key frame before it.

        Returns:
            Whether it starts anew, so that other pictures may come first.
        """
        key = self._track.key_before(rank, len(self._track.packets))
        is_new = self.rank >= rank or key > self._at or self.rank < 0 < self._at
        if is_new:
            self._restart(key)
        return is_new

    def go_further_back(self, rank: int) -> None:
        """Start again at the key frame before the one that decoding last started at."""
        self._restart(self._track.key_before(rank, self._start))

    def next(self) -> "tuple[int, av.VideoFrame] | None":
        """Return the next picture and its rank, None past the last one.

        Raises:
            Abandoned: `is_left` said so.
            UnsupportedMedia: more pictures were lost than a whole file may lose.
        """
        while not self._ready:
            if self._at > len(self._track.packets):
                return None
            self._feed()
        self.rank, frame = self._ready.popleft()
        return self.rank, frame

    def miss(self, rank: int) -> None:
        """Count a picture that was passed without coming out."""
        if self._are_absent_lost:
            self._lose(self._track.numbers[rank])

    def _restart(self, packet: int) -> None:
        self._context.flush_buffers()
        self._ready.clear()
        self._at = self._start = packet
        self._start_rank = max(0, self._track.rank_of(packet))
        self.rank = -1

    def _feed(self) -> None:
        """Decode one packet, or after the last one what the decoder still holds."""
        if self._is_left():
            raise Abandoned
        at, packets = self._at, self._track.packets
        self._at += 1
        try:
            frames = self._context.decode(packets[at] if at < len(packets) else None)
        except FFmpegError:
            if at < len(packets) and self._track.rank_of(at) >= self._start_rank:
                self._lose(at)
            return
        for frame in frames:
            rank = -1 if frame.pts is None else self._track.rank_of(frame.pts)
            if rank < self._start_rank:
                continue
            if frame.is_corrupt and frame.pts is not None:
                self._lose(frame.pts)
            else:
                self._ready.append((rank, frame))

    def _lose(self, packet: int) -> None:
        self._lost.add(packet)
        if self._track.is_damage(len(self._lost)):
            raise damaged()
