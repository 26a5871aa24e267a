"""The portrait-animation role: one protocol, whatever the variant."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from app.driving import Driven, DrivingFaces, Performance
from app.values import FaceMesh, FrameGroup, ModelCard, Motion, Portrait

Prepared = TypeVar("Prepared")

Finish = Callable[[], FrameGroup]
"""Makes a group of what the device made of it; on any thread, beside runs of the device."""


class PortraitModel(Protocol[Prepared]):
    """Animates still portraits; frames of several portraits go through the net together."""

    card: ModelCard

    def prepare(self, portrait: Portrait, mesh: FaceMesh) -> Prepared:
        """Return all that depends on the portrait alone; kept in a bounded cache by digest."""
        ...

    def size_bytes(self, prepared: Prepared) -> int:
        """Return the memory that `prepared` holds, for the bound of the cache."""
        ...

    def animate(self, items: Sequence[tuple[Prepared, Motion | Driven]]) -> list[FrameGroup]:
        """Return one group per item, each with as many frames as its motion has rows.

        An item's frames do not depend on the other items (within 1/255 per channel).
        """
        ...

    def render(self, items: Sequence[tuple[Prepared, Motion | Driven]]) -> list[Finish]:
        """Return what `animate` does, its work on the device done and that on the CPU to be done.

        So the device need not wait for the CPU.
        """
        ...

    def watch(self, items: Sequence[DrivingFaces]) -> list[Performance]:
        """Return what driving faces do, one performance per item, a row per frame."""
        ...
