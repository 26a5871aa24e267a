"""Decoding of uploaded media, off the event loop and a few files at a time."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from fractions import Fraction
from typing import TypeVar, TypeVarTuple

import numpy as np
from numpy.typing import NDArray

from app.errors import UnsupportedMedia
from app.media.audio import decode_speech
from app.media.config import MediaConfig
from app.media.frame_reader import FrameReader
from app.media.image import DecodedPortrait, decode_portrait
from app.media.kept_sound import kept_sound
from app.media.video_file import inspect_video
from app.values import Sound, Speech, VideoFile
from app.variants.liveportrait.sequence import MotionSequence, load

Ts = TypeVarTuple("Ts")
T = TypeVar("T")

MOTIONS_HINT = " Or send a motion sequence, the .npz of POST /v1/motions."

RECORDINGS = 2
"""Recordings, or videos before they play, that are decoded at once: a long one holds up no short
one."""


class Decoders:
    """The threads of one replica on which media are decoded.

    Args:
        config: limits.
    """

    def __init__(self, config: MediaConfig) -> None:
        self._config = config
        # One photo at a time, because it may unfold to hundreds of MB.
        self._photos = ThreadPoolExecutor(1, thread_name_prefix="decode-photo")
        self._recordings = ThreadPoolExecutor(RECORDINGS, thread_name_prefix="decode-sound")

    async def photo(self, data: bytes) -> DecodedPortrait:
        """Return a photo."""
        return await run(self._photos, decode_portrait, data, self._config)

    async def speech(self, data: bytes, left: threading.Event) -> Speech:
        """Return a recording; once `left` is set, decoding ends."""
        return await run(self._recordings, decode_speech, data, self._config, left.is_set)

    async def video(self, part: str, data: bytes, left: threading.Event) -> VideoFile:
        """Return what a video holds; refusals name the part of the request."""
        try:
            return await run(self._recordings, inspect_video, data, self._config, left.is_set)
        except UnsupportedMedia as error:
            hint = error.hint + (MOTIONS_HINT if part == "driving" else "")
            raise UnsupportedMedia(
                f"The part `{part}` cannot be used: {error.detail}", hint
            ) from None

    async def sequence(self, data: bytes) -> MotionSequence:
        """Return a motion sequence."""
        return await run(self._recordings, load, data)

    async def sound(self, video: VideoFile, left: threading.Event) -> Sound | None:
        """Return the sound track of a video."""
        return await run(self._recordings, kept_sound, video, self._config, left.is_set)


class VideoPlayer:
    """Pictures of one session's video, decoded on a thread of its own until it is closed."""

    def __init__(self) -> None:
        self._left = threading.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="decode-video")
        self._reader: FrameReader | None = None

    async def open(
        self, video: VideoFile, fps: Fraction, longer_side_px: int | None, config: MediaConfig
    ) -> FrameReader:
        """Return the reader, of which only what it says of the video is to be used.

        Args:
            video: the file.
            fps: rate of the slots.
            longer_side_px: of the pictures; None keeps the video's.
            config: for the colour beneath transparent pixels.
        """
        background = config.background_rgb
        self._reader = await run(
            self._thread, FrameReader, video, fps, longer_side_px, self._left.is_set, background
        )
        return self._reader

    async def read(self, slots: Sequence[int]) -> NDArray[np.uint8]:
        """Return the pictures of slots, (T, H, W, 3) uint8 RGB."""
        assert self._reader, "open comes first"
        return await run(self._thread, self._reader.read, slots)

    def close(self) -> None:
        """Stop decoding and free all that it holds; may be called twice."""
        if not self._left.is_set():
            self._left.set()
            self._thread.submit(self._free)
            self._thread.shutdown(wait=False)

    def _free(self) -> None:
        if self._reader:
            self._reader.close()


async def run(thread: ThreadPoolExecutor, work: Callable[[*Ts], T], *args: *Ts) -> T:
    """Return what blocking work returns, done on a thread; its log lines say for whom."""
    here = copy_context()
    return await asyncio.get_running_loop().run_in_executor(thread, lambda: here.run(work, *args))
