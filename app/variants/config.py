"""Settings of the two model roles."""

from typing import Literal

from pydantic import Field

from app.strict import Settings
from app.values import MelWindow

Device = Literal["auto", "cpu", "cuda"]

WeightSource = Literal["published", "seeded"]

CROP_PX = {"viseme": 256, "wav2lip": 96}
"""Side of the square mouth crop that each lip-sync variant takes, px; `viseme` takes any, and its
engines are built for this one."""

VISEME_CROPS_PX = (128, 192, 256, 384, 512)
"""Sides of the mouth crops that are cut for `viseme`: the smaller the face, the less is drawn."""

MEL_WINDOWS = {
    "viseme": MelWindow(before=17, steps=32),
    "wav2lip": MelWindow(before=0, steps=16),
}
"""What each lip-sync variant hears for a frame."""


class PortraitConfig(Settings):
    """The portrait-animation role."""

    variant: Literal["puppet", "liveportrait"] = "puppet"
    """Which model animates: `puppet` is embedded and needs no weights, `liveportrait` is the
    published nets."""

    weights: WeightSource = "published"
    """Weights of published nets: `seeded` are made-up numbers for tests and load runs, and every
    answer says so."""

    device: Device = "auto"
    """Where it runs: `auto` takes CUDA where the replica sees a GPU and the CPU elsewhere; `cuda`
    insists."""

    cache_bytes: int = Field(default=256 * 1024 * 1024, ge=0)
    """Bound of each replica's cache of prepared portraits; one in use may exceed it."""


class LipsConfig(Settings):
    """The lip-sync role."""

    variant: Literal["viseme", "wav2lip"] = "viseme"
    """Which model repaints mouths: `viseme` is embedded and needs no weights, `wav2lip` is the
    published net."""

    weights: WeightSource = "published"
    """Weights of a published net, as `portrait.weights`."""

    device: Device = "auto"
    """Where it runs, as `portrait.device`."""
