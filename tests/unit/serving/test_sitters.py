"""Portraits that are kept between chunks: how many, which, and that nothing of others stays."""

import gc
import weakref
from collections.abc import Awaitable, Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any, cast

import numpy as np
import pytest

from app.errors import NoFace, UnknownPortrait
from app.jobs import FramesJob
from app.observability.stages import StageTimes
from app.pipeline.config import FramesConfig
from app.serving.decoders import Decoders
from app.serving.sitters import Seated, Sitters
from app.serving.take import Session
from app.settings import AppArgs
from app.values import FaceMesh, FrameGroup, Motion, Portrait
from tests.fake_face import fake_mesh, fake_portrait
from tests.serve.conftest import png

MESH = fake_mesh((150, 150), 200)
PHOTO = fake_portrait(MESH, 300, 300).pixels
JOB = FramesJob(
    *(png(PHOTO), b"", True, Fraction(25), 256, None, "none", 0),
    *(0, None, 0.0, None, 90),
)


class InStore:
    """Stands for what lies in Ray's object store."""


class Models:
    """Finds one known face, and remembers how often it was asked."""

    def __init__(self, *faces: FaceMesh) -> None:
        self.found = list(faces)
        self.looks = 0
        self.stored: list[weakref.ref[InStore]] = []

    async def faces(self, photo: Portrait) -> list[FaceMesh]:
        self.looks += 1
        return self.found

    async def animator(
        self, portrait: Portrait, mesh: FaceMesh
    ) -> Callable[[Motion], Awaitable[FrameGroup]]:
        held = InStore()
        self.stored.append(weakref.ref(held))

        async def animate(motion: Motion, of: InStore = held) -> FrameGroup:
            raise NotImplementedError

        return animate

    def alive(self) -> list[bool]:
        gc.collect()
        return [reference() is not None for reference in self.stored]


def photo(number: int) -> FramesJob:
    pixels = PHOTO.copy()
    pixels[0, 0] = number
    return replace(JOB, portrait=png(pixels))


async def seated(sitters: Sitters, models: Models, job: FramesJob) -> Seated:
    args = AppArgs()
    session = Session(args, cast("Any", models), Decoders(args.media), StageTimes())
    return await sitters.seated(job, session)


async def test_a_photo_is_worked_on_once_and_found_by_its_id() -> None:
    sitters, models = Sitters(FramesConfig()), Models(MESH)
    first = await seated(sitters, models, JOB)
    assert await seated(sitters, models, JOB) is first
    assert await seated(sitters, models, replace(JOB, portrait=first.key)) is first
    assert models.looks == 1
    assert first.faces == 1
    assert first.size_bytes == 256 * 256 * 3


async def test_an_id_is_that_of_the_photo_and_of_what_shapes_it() -> None:
    models = Models(MESH, MESH)
    ids = {
        name: (await seated(Sitters(FramesConfig()), models, job)).key
        for name, job in {
            "photo": JOB,
            "again": replace(JOB, fps=Fraction(30), seed=5, start=9, motion="idle"),
            "largest": replace(JOB, face_index=0),
            "second": replace(JOB, face_index=1),
            "size": replace(JOB, size=300),
            "source": replace(JOB, size=None),
            "other": photo(1),
        }.items()
    }
    assert ids["photo"] == ids["again"] == ids["largest"]
    assert len(set(ids.values())) == 5
    assert all(len(key) == 64 for key in ids.values())


@pytest.mark.parametrize(
    "config",
    [FramesConfig(cached_portraits=2), FramesConfig(cache_bytes=2 * 256 * 256 * 3)],
    ids=["entries", "bytes"],
)
async def test_the_least_recently_used_goes_and_leaves_nothing(config: FramesConfig) -> None:
    sitters, models = Sitters(config), Models(MESH)
    keys = [(await seated(sitters, models, photo(number))).key for number in range(2)]
    assert (await seated(sitters, models, replace(JOB, portrait=keys[0]))).key == keys[0]
    await seated(sitters, models, photo(2))
    assert models.alive() == [True, False, True]
    with pytest.raises(UnknownPortrait) as unknown:
        await seated(sitters, models, replace(JOB, portrait=keys[1]))
    assert "again" in unknown.value.hint
    assert (await seated(sitters, models, photo(1))).key == keys[1]
    assert models.looks == 4


async def test_a_portrait_in_use_stays_until_its_chunk_has_ended() -> None:
    sitters, models = Sitters(FramesConfig(cached_portraits=1)), Models(MESH)
    used = await seated(sitters, models, photo(0))
    await seated(sitters, models, photo(1))
    assert models.alive() == [True, True]
    assert used.key
    del used
    assert models.alive() == [False, True]


async def test_what_is_refused_is_not_kept() -> None:
    sitters, models = Sitters(FramesConfig()), Models()
    for _ in range(2):
        with pytest.raises(NoFace):
            await seated(sitters, models, JOB)
    assert models.looks == 2
    assert np.array_equal(models.alive(), [])
