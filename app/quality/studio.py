"""Renders talks in process as the server does, up to the encoder; and encodes them.

T frames, H/W pixels.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from app.media.config import MediaConfig
from app.media.mel import WAV2LIP_WINDOW, speech_windows
from app.media.mp4 import Mp4Writer
from app.models.viseme.net import VisemeNet
from app.pipeline.accents import accented
from app.pipeline.motion import idle_motion, still_motion
from app.pipeline.mouth import LowerFace, to_crop
from app.quality.energy import EnergyMouth
from app.quality.passage import FPS, Passage
from app.quality.sitter import Sitter
from app.runtime.eager import EagerEngine
from app.values import FrameGroup, LipGroup, MelWindow, Motion, Sound
from app.variants.config import MEL_WINDOWS, VISEME_CROPS_PX
from app.variants.puppet import Puppet
from app.variants.viseme import Viseme

Pixels = NDArray[np.uint8]
Mouth = Literal["ours", "energy"]

GROUP_FRAMES = 25


class Studio:
    """The embedded default, and beside it the same with an energy-only mouth."""

    def __init__(self) -> None:
        self.puppet = Puppet()
        loud = VisemeNet()
        loud.controls = EnergyMouth()  # type: ignore[assignment]
        self._mouths: dict[Mouth, Viseme] = {
            "ours": Viseme(),
            "energy": Viseme(EagerEngine(loud, "cpu")),
        }

    def talk(
        self,
        sitter: Sitter,
        passage: Passage,
        mouth: Mouth,
        seed: int | None = None,
        limit: int | None = None,
    ) -> Pixels:
        """Return the frames of a talk before encoding, (T, H, W, 3) uint8 RGB.

        Args:
            sitter: who talks.
            passage: what is said.
            mouth: by which net.
            seed: of the idle motion; the photo holds still but for the mouth if absent.
            limit: of the frames; all if absent.
        """
        frames, groups = min(passage.num_frames, limit or passage.num_frames), []
        crops = lower_face()
        for start in range(0, frames, GROUP_FRAMES):
            count = min(GROUP_FRAMES, frames - start)
            heard = self.hear(passage, start, start + count)
            stressed = self.hear(passage, start, start + count, WAV2LIP_WINDOW)
            motion = still_motion(count)
            if seed is not None:
                motion = accented(idle_motion(count, FPS, seed, start), stressed, FPS, seed, start)
            groups.append(self.speak(self.move(sitter, motion), heard, mouth, crops))
        return np.concatenate(groups)

    def move(self, sitter: Sitter, motion: Motion) -> FrameGroup:
        """Return the frames of a head that moves and says nothing."""
        return self.puppet.animate([(sitter.prepared, motion)])[0]

    def hear(
        self, passage: Passage, start: int, stop: int, window: MelWindow = MEL_WINDOWS["viseme"]
    ) -> NDArray[np.float32]:
        """Return the log-mel windows of frames [start, stop), (T, 80, W) float32."""
        speech = passage.speech
        return speech_windows(speech.levels, speech.gain_db, FPS, start, stop, window=window)

    def speak(
        self, group: FrameGroup, mel: NDArray[np.float32], mouth: Mouth, face: LowerFace
    ) -> Pixels:
        """Return frames whose mouths follow the speech; `face` is one session's."""
        transforms = face.place(group.points)
        crops = face.cut(group.pixels, transforms)
        lips = LipGroup(crops, to_crop(group.points, transforms), mel)
        painted = self._mouths[mouth].paint([lips])[0]
        return face.blend(group.pixels, crops, painted, transforms)


def lower_face() -> LowerFace:
    """Return what cuts the mouths of one talk."""
    return LowerFace(*VISEME_CROPS_PX)


def encode(frames: Pixels, sound: Sound | None = None) -> bytes:
    """Return frames as the MP4 that the server would send."""
    height, width = frames.shape[1:3]
    writer = Mp4Writer(width, height, FPS, sound, MediaConfig(), num_frames=len(frames))
    parts = [writer.write(frames[i : i + GROUP_FRAMES]) for i in range(0, len(frames), 25)]
    return b"".join([*parts, writer.finish()])
