"""The application with models that do nothing, to weigh all that is around them.

Same deployments under the same names, same handles, batching, caches and arrays; only what an
engine would compute is left out. No `from __future__ import annotations` here: see
`app/serving/build.py`.

T frames of a group, H/W pixels, S crop px.
"""

import zlib
from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from ray.serve import Application

from app.driving import Driven, DrivingFaces, Performance
from app.errors import BadRequest
from app.serving import face, lips, portrait
from app.serving.build import graph_of
from app.settings import AppArgs
from app.values import FaceMesh, FaceQuery, FrameGroup, LipGroup, ModelCard, Motion, Portrait
from app.variants.config import CROP_PX
from app.variants.portrait import Finish

IDLE = "idle"


def build_path(args: AppArgs) -> Application:
    """Return the graph of `app.serving.build` over idle models."""
    return graph_of(args, FaceAnalyzer, PortraitAnimator, LipSync)


def _card(role: str) -> ModelCard:
    return ModelCard(role, IDLE, IDLE, "uint8", "Apache-2.0", embedded=True)


class IdlePortrait:
    """Shows the photo in every frame: a copy of it, as an engine's answer is a new array."""

    card = _card("portrait")

    def prepare(self, portrait: Portrait, mesh: FaceMesh) -> tuple[Portrait, FaceMesh]:
        """Return both as they are."""
        return portrait, mesh

    def size_bytes(self, prepared: tuple[Portrait, FaceMesh]) -> int:
        """Return the bytes of the photo."""
        return prepared[0].pixels.nbytes

    def animate(
        self, items: Sequence[tuple[tuple[Portrait, FaceMesh], Motion | Driven]]
    ) -> list[FrameGroup]:
        """Return the photo, (T, H, W, 3) uint8, for each item."""
        return [finish() for finish in self.render(items)]

    def render(
        self, items: Sequence[tuple[tuple[Portrait, FaceMesh], Motion | Driven]]
    ) -> list[Finish]:
        """Return the same, to be copied beside the next run, as a paste would be."""
        return [partial(_shown, *item) for item in items]

    def watch(self, items: Sequence[DrivingFaces]) -> list[Performance]:
        """Refuse: a performance is all that the model makes of a video.

        Raises:
            BadRequest: always.
        """
        raise BadRequest("Idle models follow no video.", "Ask for a talk.")


def _shown(prepared: tuple[Portrait, FaceMesh], motion: Motion | Driven) -> FrameGroup:
    photo, mesh = prepared
    return FrameGroup(
        np.repeat(photo.pixels[None], len(motion), axis=0),
        np.repeat(mesh.points[None, :, :2], len(motion), axis=0),
    )


class IdleLips:
    """Hands the crops back."""

    card = _card("lips")

    def __init__(self, crop_px: int) -> None:
        self.crop_px = crop_px

    def paint(self, items: Sequence[LipGroup]) -> list[NDArray[np.uint8]]:
        """Return the crops, (T, S, S, 3) uint8, of each item."""
        return [group.crops.copy() for group in items]


class PortraitAnimator(portrait.PortraitAnimator):
    """The deployment over an idle model."""

    def _load(self) -> IdlePortrait:
        if not isinstance(self._model, IdlePortrait):
            self._model = IdlePortrait()
        return self._model


class LipSync(lips.LipSync):
    """The deployment over an idle model."""

    def _load(self) -> IdleLips:
        if not isinstance(self._model, IdleLips):
            self._model = IdleLips(CROP_PX[self._config.variant])
        return self._model


class FaceAnalyzer(face.FaceAnalyzer):
    """The deployment over nets that look at every picture once.

    Later looks are answered from memory: that way the mesh fits the photo, whichever it is.
    """

    _seen: ClassVar[dict[tuple[int, bool], Any]] = {}

    def _analyze(self, queries: Sequence[face.Query]) -> list[Any]:
        return [self._remembered(query) for query in queries]

    def _remembered(self, query: face.Query) -> Any:  # noqa: ANN401 - of either query's answer
        if not isinstance(query, FaceQuery):
            return super()._analyze([query])[0]
        key = (zlib.crc32(query.pixels.tobytes()), query.only_tiles)
        if key not in self._seen:
            (self._seen[key],) = super()._analyze([query])
        return self._seen[key]
