"""Knowledge that two rooms hold because neither may import the other."""

from app.media.chunk import AFTER_MS, BEFORE_MS
from app.media.mel import MEL_BINS, WAV2LIP_WINDOW
from app.models.viseme import controls, rig
from app.pipeline import mouth
from app.pipeline.config import FramesConfig
from app.variants.config import CROP_PX, MEL_WINDOWS, VISEME_CROPS_PX
from app.variants.viseme import Viseme


def test_the_viseme_net_hears_what_its_variant_is_given() -> None:
    window = MEL_WINDOWS["viseme"]
    assert (window.before, window.steps) == (controls.STEPS_BEFORE, controls.STEPS)
    assert (controls.MEL_BINS, MEL_WINDOWS["wav2lip"]) == (MEL_BINS, WAV2LIP_WINDOW)


def test_no_variant_hears_more_than_chunks_bring() -> None:
    half_step_ms, step_ms = 25, 12.5
    for name, window in MEL_WINDOWS.items():
        assert half_step_ms + step_ms * (window.before + 1) <= BEFORE_MS
        ahead_ms = half_step_ms + step_ms * (window.steps - 1 - window.before)
        # A chunk's context begins after its last frame, which is shown 16 ms or longer.
        assert ahead_ms <= AFTER_MS + 16, name
    assert FramesConfig().max_context_s * 1000 >= BEFORE_MS + AFTER_MS


def test_the_mouth_renderer_knows_how_the_crop_is_cut() -> None:
    assert rig.EYES_OF_CROP * mouth.SIDE == 1
    assert Viseme.crop_px == CROP_PX["viseme"]
    assert Viseme.crop_px in VISEME_CROPS_PX
