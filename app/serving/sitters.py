"""Portraits that are kept from one chunk to the next, with all work on them done."""

import hashlib
from dataclasses import dataclass

from app.errors import UnknownPortrait
from app.jobs import FramesJob
from app.pipeline.config import FramesConfig
from app.serving.cache import BoundedCache
from app.serving.models import Animate
from app.serving.sitting import sit
from app.serving.take import Session, notes_of


@dataclass(frozen=True, slots=True, eq=False)
class Seated:
    """A portrait that was decoded, searched for its face, and laid in Ray's object store.

    Attributes:
        key: its id: a hash of the photo's bytes, `size` and `face_index`.
        animate: renders it; holds the only reference to what lies in the object store.
        size_bytes: of that.
        faces: how many the photo shows.
        notes: what the client should know about it, by short stable names.
    """

    key: str
    animate: Animate
    size_bytes: int
    faces: int
    notes: tuple[str, ...]


class Sitters:
    """The portraits of one replica, the least recently used of which make room.

    What is dropped is freed once the last chunk that uses it has ended.
    """

    def __init__(self, config: FramesConfig) -> None:
        self._kept = BoundedCache[Seated](
            config.cache_bytes, lambda seated: seated.size_bytes, config.cached_portraits
        )

    async def seated(self, job: FramesJob, session: Session) -> Seated:
        """Return the portrait of a job, from the cache where it can.

        Raises:
            UnknownPortrait: the job names one that is not kept.
            AppError: the photo is refused, or its face.
        """
        if isinstance(job.portrait, str):
            return self._known(job.portrait)
        key = _key(job.portrait, job.size, job.face_index)
        seated = self._kept.get(key) or await _seated(key, job.portrait, job, session)
        self._kept.put(key, seated)
        return seated

    def _known(self, key: str) -> Seated:
        seated = self._kept.get(key)
        if seated is None:
            raise UnknownPortrait(
                "This server keeps no portrait of that id, or not any more.",
                "Send the photo again, as the part `portrait`.",
            )
        return seated


async def _seated(key: str, photo: bytes, job: FramesJob, session: Session) -> Seated:
    with session.times.measure("decode"):
        decoded = await session.decoders.photo(photo)
    sat = await sit(session, decoded.portrait, job.size, job.face_index)
    animate = await session.models.animator(sat.portrait, sat.mesh)
    return Seated(key, animate, sat.portrait.pixels.nbytes, sat.faces, notes_of(decoded))


def _key(photo: bytes, size: int | None, face_index: int | None) -> str:
    # None and 0 are the same face.
    head = repr((size, face_index or 0)).encode()
    return hashlib.sha256(head + photo).hexdigest()
