"""Measures of one portrait on its own: how it trembles and how it blinks."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.face.analyzer import FaceAnalyzer
from app.media.frames import decode_frames
from app.pipeline.motion import idle_motion
from app.quality.blinks import blink_spans, closure_seen
from app.quality.passage import FPS, Passage
from app.quality.sitter import Sitter
from app.quality.studio import GROUP_FRAMES, Studio, encode
from app.quality.table import Row
from app.quality.watching import follow, watch
from app.values import Motion

BLINKS_S = 300
PER_MINUTE = (10, 25)
LASTS_MS = (100, 400)
MOST_JITTER = 0.1
JITTER_FRAMES = 100

NOSE_BASE, LIP_TOP = 2, 0
NOSE_TO_LIP = 0.35
"""Where the lower face begins that is covered: so far from the nose's base to the upper lip."""


@dataclass(frozen=True, slots=True)
class Jitter:
    """By how much eyes and nose tremble more than in the encoded photo, % of eye distance.

    Attributes:
        seen: as the mesh net sees them.
        covered: the same with the photo's lower face in every frame. The net lets the nose follow
            the mouth, even where no pixel of the nose changes; this tells what is in the picture.
    """

    seen: float
    covered: float


def jitter(studio: Studio, sitter: Sitter, passage: Passage, analyzer: FaceAnalyzer) -> Jitter:
    """Return the jitter of a talk with `motion=none`, decoded from its MP4."""
    talked = studio.talk(sitter, passage, "ours", limit=JITTER_FRAMES)
    still = np.ascontiguousarray(np.broadcast_to(sitter.portrait.pixels, talked.shape))
    points = sitter.mesh.points
    below = int(points[NOSE_BASE, 1] + NOSE_TO_LIP * (points[LIP_TOP, 1] - points[NOSE_BASE, 1]))
    decoded = [np.stack(list(decode_frames(encode(frames)))) for frames in (talked, still)]
    seen = [watch(frames, analyzer, points).jitter() for frames in decoded]
    covered = decoded[0].copy()
    covered[:, below:] = decoded[1][:, below:]
    return Jitter(seen[0] - seen[1], watch(covered, analyzer, points).jitter() - seen[1])


def jitter_rows(figures: Mapping[str, Jitter]) -> list[Row]:
    """Return the rows of the jitter by portrait."""
    measure = "motion=none: jitter of eyes and nose above the still's"
    return [
        _jitter_row(measure, {name: jitter.seen for name, jitter in figures.items()}),
        _jitter_row(
            f"{measure}, the mouth covered",
            {name: jitter.covered for name, jitter in figures.items()},
        ),
    ]


def _jitter_row(measure: str, figures: Mapping[str, float]) -> Row:
    worst = max(figures, key=lambda name: figures[name])
    return Row(
        measure,
        f"{float(np.mean(list(figures.values()))):+.2f} points",
        f"at most {MOST_JITTER} points of eye distance",
        figures[worst] <= MOST_JITTER,
        f"{figures[worst]:+.2f} {worst}",
    )


def blink_row(studio: Studio, sitter: Sitter, analyzer: FaceAnalyzer, seed: int) -> Row:
    """Return the row of the blinks that five minutes of idling show, as motion and as rendered."""
    motion = idle_motion(BLINKS_S * int(FPS), FPS, seed)
    planned = blink_spans(motion.closure.mean(axis=1), float(FPS))
    seen = follow(_idling(studio, sitter, motion), analyzer, sitter.mesh.points)
    spans = blink_spans(closure_seen(seen.openness), float(FPS))
    lasts = spans[:, 1] - spans[:, 0]
    shortest, longest = 1000 * lasts.min(initial=9), 1000 * lasts.max(initial=0)
    rate = 60 * len(spans) / BLINKS_S
    rate_met = PER_MINUTE[0] <= rate <= PER_MINUTE[1]
    lasts_met = bool(len(lasts)) and LASTS_MS[0] <= shortest <= longest <= LASTS_MS[1]
    return Row(
        f"blinks in {BLINKS_S // 60} minutes, seen by the mesh",
        f"{rate:.1f} a minute, {shortest:.0f}-{longest:.0f} ms",
        "10 to 25 a minute, 100-400 ms each",
        rate_met and lasts_met,
        f"the motion has {60 * len(planned) / BLINKS_S:.1f} a minute",
    )


def _idling(studio: Studio, sitter: Sitter, motion: Motion) -> Iterator[NDArray[np.uint8]]:
    """Yield frames of a head that idles, few of them in memory at once."""
    for start in range(0, len(motion), GROUP_FRAMES):
        yield from studio.move(sitter, motion[start : start + GROUP_FRAMES]).pixels
