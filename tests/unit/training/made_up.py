"""Clips and utterances whose truth is known, without an engine."""

import numpy as np

from app.models.viseme.coarticulation import Segment
from app.models.viseme.phonemes import CONTROLS, SILENCE
from app.synthesis.utterance import Utterance
from app.training.clips import Clip
from app.values import SPEECH_HZ

JAW = CONTROLS.index("jaw")
TURN_STEPS = 16


def beating_clip(steps: int = 320) -> Clip:
    """Return a clip that says A, by a loud low sound, and is silent, in turns of 0.2 s."""
    is_said = np.arange(steps) // TURN_STEPS % 2 == 1
    mel = np.full((80, steps), -3.0, np.float32)
    mel[5:25, is_said] = 2
    controls = np.zeros((steps, len(CONTROLS)), np.float32)
    controls[is_said, JAW] = 0.8
    segments = tuple(
        Segment("A" if is_said[start] else SILENCE, start / 80, (start + TURN_STEPS) / 80)
        for start in range(0, steps, TURN_STEPS)
    )
    return Clip(mel, controls, segments)


def buzzing(seconds: float = 0.6) -> Utterance:
    """Return an utterance: a buzz that counts as A between 0.2 and 0.4 s, silence around it."""
    time = np.arange(int(seconds * SPEECH_HZ)) / SPEECH_HZ
    buzz = sum(np.sin(2 * np.pi * 130 * k * time) / k for k in range(1, 20))
    samples = np.asarray(0.1 * buzz * ((time >= 0.2) & (time < 0.4)), np.float32)
    borders = ((SILENCE, 0.0, 0.2), ("A", 0.2, 0.4), (SILENCE, 0.4, seconds))
    return Utterance(samples, tuple(Segment(*each) for each in borders), "made/up")
