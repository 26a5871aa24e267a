"""Sessions that are batched together do not mix."""

import asyncio
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from app.serving.talk import Stage
from app.values import TalkJob
from tests.serve.conftest import png, spoken

SECONDS = 1.6


def job(portrait: bytes) -> TalkJob:
    return TalkJob(portrait, spoken(SECONDS), Fraction(25), 384, "idle", None, seed=3)


async def frames(stage: Stage, portrait: bytes) -> NDArray[np.int16]:
    take = await stage.prepare(job(portrait))
    groups = [group.pixels async for group in stage.frames(take)]
    return np.concatenate(groups).astype(np.int16)


async def test_portraits_rendered_together_equal_the_same_rendered_alone(
    stage: Stage, astronaut: NDArray[np.uint8]
) -> None:
    # A mirror image is another face at another place; the third has another shape.
    photos = [
        png(astronaut),
        png(np.ascontiguousarray(astronaut[:, ::-1])),
        png(np.ascontiguousarray(astronaut[:, 60:420])),
    ]
    alone = [await frames(stage, photo) for photo in photos]
    together = await asyncio.gather(*(frames(stage, photo) for photo in photos))
    for one, other in zip(alone, together, strict=True):
        assert len(one) == SECONDS * 25
        assert np.abs(one - other).max() <= 1
    same = max(np.abs(a - b).mean() for a, b in zip(alone, together, strict=True))
    swapped = np.abs(alone[0] - together[1]).mean()
    assert swapped > 1000 * max(same, 0.005)
