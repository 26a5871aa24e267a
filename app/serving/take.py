"""What one session has at hand while it is prepared, and what it is ready to render after that."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, TypeVar

from app.errors import TooLarge
from app.jobs import Pace
from app.media.image import DecodedPortrait
from app.media.label import metadata
from app.media.mp4 import Mp4Writer
from app.observability.stages import StageTimes
from app.pipeline.session import Scene
from app.serving.decoders import Decoders, VideoPlayer
from app.serving.models import ModelCalls
from app.settings import AppArgs
from app.values import Sound

Other = TypeVar("Other")

ANIMATION_NOTE = "first-picture-of-animation"


@dataclass(frozen=True, slots=True)
class Session:
    """One request on its way to a take.

    Attributes:
        args: the application's settings.
        models: the model deployments.
        decoders: of this replica.
        times: counts the stages.
        left: set once nobody waits for the preparation any more.
        players: opened so far; closed with the take, or when there is none.
    """

    args: AppArgs
    models: ModelCalls
    decoders: Decoders
    times: StageTimes
    left: threading.Event = field(default_factory=threading.Event)
    players: list[VideoPlayer] = field(default_factory=list)

    def player(self) -> VideoPlayer:
        """Return a player that is closed with the session."""
        player = VideoPlayer()
        self.players.append(player)
        return player

    def close(self) -> None:
        """Free what the session reads from; may be called twice."""
        self.left.set()
        for player in self.players:
            player.close()

    async def photo_and(
        self, photo: bytes, other: Coroutine[Any, Any, Other]
    ) -> tuple[DecodedPortrait, Other]:
        """Return a photo and what is decoded beside it; a refused photo does not wait for it."""
        task = asyncio.create_task(other)
        try:
            decoded = await self.decoders.photo(photo)
            return decoded, await task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def check_size(self, size: int | None, width: int, height: int) -> None:
        """Check that a video of a medium's own size is not too large.

        Raises:
            TooLarge: it is.
        """
        longest_px = self.args.media.max_video_side_px
        if size is None and max(width, height) > longest_px:
            raise TooLarge(
                f"The picture's longer side exceeds {longest_px} px.",
                "Ask for a size, such as `size=1024`, or send a smaller file.",
            )


@dataclass(frozen=True, slots=True)
class Take:
    """A video that is ready to be rendered: its scene, and what the file needs besides.

    Attributes:
        scene: what is rendered.
        sound: the sound track, or None.
        fps: exact.
        width: px.
        height: px.
        faces: how many the portrait shows, or the video where a face is first seen.
        times: counts the stages.
        notes: what the client should know about its input, by short stable names.
        frames_without_face: how many so far; None where there is no such thing.
        close: frees what the scene reads from; may be called twice.
        pace: "free" renders as fast as it can, "live" as fast as the video plays.
    """

    scene: Scene
    sound: Sound | None
    fps: Fraction
    width: int
    height: int
    faces: int
    times: StageTimes = field(default_factory=StageTimes)
    notes: tuple[str, ...] = ()
    frames_without_face: Callable[[], int] | None = None
    close: Callable[[], None] = lambda: None
    pace: Pace = "free"

    def writer(self, args: AppArgs) -> Mp4Writer:
        """Return what writes the video."""
        media = args.media
        return Mp4Writer(
            *(self.width, self.height, self.fps, self.sound),
            media,
            metadata(media.label),
            self.scene.num_frames,
            is_live=self.pace == "live",
        )


def notes_of(photo: DecodedPortrait) -> tuple[str, ...]:
    """Return what a client should know about its photo."""
    return (ANIMATION_NOTE,) if photo.is_animated else ()
