"""What each lip-sync variant is shown of frames and hears of a speech."""

from fractions import Fraction
from functools import partial
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from app.media.chunk import Piece, Span
from app.media.mel import WAV2LIP_WINDOW, speech_windows
from app.pipeline.mouth import LowerFace
from app.pipeline.session import Crops, Lips, Windows
from app.serving.take import Session
from app.values import MelWindow, Speech
from app.variants.config import MEL_WINDOWS, VISEME_CROPS_PX, LipsConfig
from app.variants.wav2lip.whole_face import WholeFace


def crops_for(config: LipsConfig) -> Crops:
    """Return how a variant's crops are cut and put back, for one session."""
    match config.variant:
        case "viseme":
            return LowerFace(*VISEME_CROPS_PX)
        case "wav2lip":
            return WholeFace()
    assert_never(config.variant)


def gain_for(config: LipsConfig, gain_db: float) -> float:
    """Return the gain of what a variant hears: `viseme` hears all recordings at one level.

    Wav2Lip was trained on levels as they are.
    """
    return gain_db if config.variant == "viseme" else 0.0


def windows_for(config: LipsConfig, speech: Speech, fps: Fraction) -> Windows:
    """Return the log-mel windows of any frames of a speech.

    Silence precedes and follows the speech, so that a mouth that spoke to the end shuts with it.
    """
    gain_db, window = gain_for(config, speech.gain_db), MEL_WINDOWS[config.variant]
    return partial(speech_windows, speech.levels, gain_db, fps, window=window)


def lips_for(session: Session, speech: Speech, fps: Fraction) -> Lips:
    """Return the lip-sync of a session."""
    config, models = session.args.lips, session.models
    return Lips(windows_for(config, speech, fps), models.paint, crops_for(config))


def lips_for_piece(session: Session, piece: Piece, gain_db: float, span: Span) -> Lips:
    """Return the lip-sync of a piece of speech, whose first frame is that of the span."""
    config, models = session.args.lips, session.models
    window = MEL_WINDOWS[config.variant]
    windows = windows_of_piece(piece, gain_for(config, gain_db), span, window)
    return Lips(windows, models.paint, crops_for(config))


def windows_of_piece(
    piece: Piece, gain_db: float, span: Span, window: MelWindow = WAV2LIP_WINDOW
) -> Windows:
    """Return the log-mel windows of a piece's frames, the first of which is that of the span."""

    def windows(first: int, last: int) -> NDArray[np.float32]:
        frames = (span.start + first, span.start + last)
        return speech_windows(piece.levels, gain_db, span.fps, *frames, piece.first_step, window)

    return windows
