"""Knowledge that two rooms hold because neither may import the other."""

import numpy as np

from app.media.mel import MEL_BINS, WINDOW_STEPS, mel_filters
from app.models.viseme import controls, rig
from app.pipeline import mouth
from app.variants.config import CROP_PX, VISEME_CROPS_PX
from app.variants.viseme import Viseme


def test_the_viseme_net_listens_at_the_pitches_of_the_mel_filters() -> None:
    filters = mel_filters()
    hz = np.arange(filters.shape[1]) * 16_000 / 800
    centres = (filters * hz).sum(axis=1) / filters.sum(axis=1)
    assert (controls.MEL_BINS, controls.STEPS) == (MEL_BINS, WINDOW_STEPS)
    np.testing.assert_allclose(controls.mel_centres_hz().numpy(), centres, rtol=0.06)


def test_the_mouth_renderer_knows_how_the_crop_is_cut() -> None:
    assert rig.EYES_OF_CROP * mouth.SIDE == 1
    assert Viseme.crop_px == CROP_PX["viseme"]
    assert Viseme.crop_px in VISEME_CROPS_PX
