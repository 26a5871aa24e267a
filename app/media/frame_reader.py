"""Frames of an uploaded video at any rate and size, forwards and backwards, a few at a time.

T frames, H/W pixels. A slot is a frame of the result; several may show one picture of the file,
or none.
"""

from collections import deque
from collections.abc import Callable, Sequence
from fractions import Fraction

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from app.media.picture import Painter
from app.media.picture_decoder import PictureDecoder
from app.media.video_track import VideoTrack, damaged
from app.timeline import frame_count
from app.values import VideoFile

_HELD_PICTURES = 32
"""Backwards, so many are decoded at a time: each time costs the way from a key frame."""

_GROWTH, _GROWN_PIXELS = 4, 4096 * 2304
"""Pictures may become so many times larger midway than the first one is, up to this size."""


class FrameReader:
    """Reads the frames of a video that slots of equal length show.

    Slot j shows the picture that is presented at the middle of the slot, at the media time
    start_s + (j + 1/2) / fps: at the video's own rate each picture is shown once, however its
    container rounds time stamps. Past either end the nearest picture is shown.

    A few pictures that are damaged repeat the one before. At most 32 pictures are held, at the
    size of the result, and one as it was decoded. Decodes on the calling thread; not to be
    shared by threads.

    Args:
        video: from `inspect_video`.
        fps: of the slots, in Hz, > 0.
        longer_side_px: what the longer side becomes, > 0; None keeps the size.
        is_left: asked before each packet whether nobody waits any more.
        background_rgb: colour beneath transparent pixels.

    Attributes:
        num_slots: how many cover the video, >= 1.
        width: px, even, of what `read` returns.
        height: px, even.

    Raises:
        Abandoned: `is_left` said so.
    """

    def __init__(
        self,
        video: VideoFile,
        fps: Fraction,
        longer_side_px: int | None,
        is_left: Callable[[], bool] = lambda: False,
        background_rgb: tuple[int, int, int] = (255, 255, 255),
    ) -> None:
        self._start_s, self._fps = video.start_s, fps
        self.num_slots = frame_count(video.duration_s, fps)
        self.width, self.height = _fitted(video.width, video.height, longer_side_px)
        self._painter = Painter(self.width, self.height, background_rgb)
        pixels = (video.width + 1) * (video.height + 1)  # what was odd was coded, too
        max_pixels = max(pixels, min(_GROWTH * pixels, _GROWN_PIXELS))
        self._track = VideoTrack(video.data, max_pixels, is_left)
        self._decoder = PictureDecoder(self._track, is_left)
        self._held: dict[int, NDArray[np.uint8]] = {}  # by rank
        self._before: av.VideoFrame | None = None
        self._last_slot = -1

    def read(self, slots: Sequence[int]) -> NDArray[np.uint8]:
        """Return what slots show, (T, H, W, 3) uint8 RGB, a copy.

        Slots that follow each other upwards, downwards or not at all cost least; after any other
        jump decoding starts at a key frame.

        Args:
            slots: each in [0, num_slots), in any order.

        Raises:
            Abandoned: `is_left` said so.
            UnsupportedMedia: the file turns out to be damaged.
        """
        if not all(0 <= slot < self.num_slots for slot in slots):
            raise ValueError(f"slots must be in [0, {self.num_slots})")
        frames_THW3 = np.empty((len(slots), self.height, self.width, 3), np.uint8)
        for frame_HW3, slot in zip(frames_THW3, slots, strict=True):
            frame_HW3[:] = self._picture(slot)
        return frames_THW3

    def close(self) -> None:
        """Free the decoder and all pictures; may be called twice."""
        self._held.clear()
        self._before = None
        self._track.close()

    def _picture(self, slot: int) -> NDArray[np.uint8]:
        rank = self._rank_at(slot)
        if rank not in self._held:
            try:
                if slot < self._last_slot:
                    self._held.clear()
                    self._fetch(self._ranks_down_from(slot))
                else:
                    self._fetch(deque([rank]))
            except FFmpegError:
                raise damaged() from None
        self._last_slot = slot
        return self._held[rank]

    def _rank_at(self, slot: int) -> int:
        return self._track.rank_at(self._start_s + Fraction(2 * slot + 1, 2) / self._fps)

    def _ranks_down_from(self, slot: int) -> deque[int]:
        """Return the ranks that the slots down from one show, ascending, as many as are held."""
        ranks = deque([self._rank_at(slot)])
        while slot and len(ranks) < _HELD_PICTURES:
            slot -= 1
            rank = self._rank_at(slot)
            if rank != ranks[0]:
                ranks.appendleft(rank)
        return ranks

    def _fetch(self, wanted: deque[int]) -> None:
        """Decode pictures of the given ranks, ascending, and hold them."""
        if self._decoder.go_to(wanted[0]):
            self._before = None
        while wanted:
            decoded = self._decoder.next()
            if decoded is None:
                break
            rank, frame = decoded
            if self._before is None and rank > wanted[0] and self._decoder.has_started_midway:
                self._decoder.go_further_back(wanted[0])
                continue
            while wanted and wanted[0] < rank:
                self._decoder.miss(wanted[0])
                self._hold(wanted.popleft(), self._before or frame)
            if wanted and wanted[0] == rank:
                self._hold(wanted.popleft(), frame)
            self._before = frame
        for rank in wanted:
            self._decoder.miss(rank)
            if self._before is None:
                raise damaged()
            self._hold(rank, self._before)

    def _hold(self, rank: int, frame: av.VideoFrame) -> None:
        if len(self._held) == _HELD_PICTURES:
            del self._held[next(iter(self._held))]
        self._held[rank] = self._painter.paint(frame)


def _fitted(width: int, height: int, longer_side_px: int | None) -> tuple[int, int]:
    """Return the sides of a result, even, of a video of the given even sides."""
    scale = 1.0 if longer_side_px is None else longer_side_px / max(height, width)
    return max(2, round(width * scale) & ~1), max(2, round(height * scale) & ~1)
