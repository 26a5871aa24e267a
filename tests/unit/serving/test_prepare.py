"""A session's preparation: whose work waits for whose, what ends it, and which faces it takes."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Generator
from dataclasses import replace
from fractions import Fraction
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from app.errors import DeadlineExceeded, UnsupportedMedia
from app.jobs import TalkJob
from app.media.config import MediaConfig
from app.observability.origin import Origin
from app.pipeline.config import SessionConfig
from app.serving import decoders
from app.serving.decoders import RECORDINGS
from app.serving.models import ModelCalls, Models
from app.serving.stage import Stage
from app.settings import AppArgs
from app.values import FaceMesh, FaceQuery, Portrait
from tests.fake_face import fake_mesh
from tests.serve.conftest import png, wav

LONGEST_WAIT_S = 20
JOB = TalkJob(
    portrait=png(np.zeros((8, 8, 3), np.uint8)),
    audio=wav(np.zeros(1600, np.int16)),
    fps=Fraction(25),
    size=None,
    motion="none",
    face_index=None,
    seed=0,
)
BAD_PHOTO = replace(JOB, portrait=b"no photo")


class Faces:
    """Stands for the handle of the face deployment; answers in turn."""

    def __init__(self, *answers: list[FaceMesh]) -> None:
        self.answers = list(answers)
        self.queries: list[FaceQuery] = []

    @property
    def analyze(self) -> "Faces":
        return self

    def remote(self, query: FaceQuery, origin: Origin) -> "Answer":
        self.queries.append(query)
        return Answer(self.answers.pop(0))


class Answer:
    def __init__(self, meshes: list[FaceMesh]) -> None:
        self.meshes = meshes

    def __await__(self) -> Generator[None, None, list[FaceMesh]]:
        return asyncio.sleep(0, self.meshes).__await__()

    def cancel(self) -> None:
        pass


def stage(faces: Faces | None = None, deadline_s: float = 60) -> Stage:
    nobody = cast("Any", None)
    session = SessionConfig(prepare_deadline_s=deadline_s)
    return Stage(AppArgs(session=session), Models(cast("Any", faces), nobody, nobody))


class Hearing:
    """Takes the place of `decode_speech`: goes on until nobody waits for it."""

    def __init__(self) -> None:
        self.started = threading.Semaphore(0)
        self.ended = threading.Semaphore(0)

    def __call__(self, data: bytes, config: MediaConfig, is_left: Callable[[], bool]) -> None:
        self.started.release()
        for _ in range(LONGEST_WAIT_S * 1000):
            if is_left():
                break
            threading.Event().wait(0.001)
        else:
            raise AssertionError("still waited for")
        self.ended.release()

    async def wait_started(self) -> None:
        assert await asyncio.to_thread(self.started.acquire, timeout=LONGEST_WAIT_S)

    async def wait_ended(self) -> None:
        assert await asyncio.to_thread(self.ended.acquire, timeout=LONGEST_WAIT_S / 2)


@pytest.fixture
def hearing(monkeypatch: pytest.MonkeyPatch) -> Hearing:
    hearing = Hearing()
    monkeypatch.setattr(decoders, "decode_speech", hearing)
    return hearing


async def test_a_photo_does_not_wait_for_the_recordings_of_others(hearing: Hearing) -> None:
    shared = stage()
    others = [asyncio.create_task(shared.prepare(JOB)) for _ in range(RECORDINGS + 1)]
    for _ in range(RECORDINGS):
        await hearing.wait_started()
    async with asyncio.timeout(LONGEST_WAIT_S / 2):
        with pytest.raises(UnsupportedMedia):
            await shared.prepare(BAD_PHOTO)
    assert not any(other.done() for other in others)
    for other in others:
        other.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def test_a_refused_photo_ends_the_decode_of_its_recording(
    hearing: Hearing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(data: bytes, config: MediaConfig) -> None:
        hearing.started.acquire(timeout=LONGEST_WAIT_S)
        raise UnsupportedMedia("The photo is bad.")

    monkeypatch.setattr(decoders, "decode_portrait", refuse)
    with pytest.raises(UnsupportedMedia, match="photo"):
        await stage().prepare(JOB)
    await hearing.wait_ended()


async def test_a_client_that_leaves_ends_the_decode_of_its_recording(hearing: Hearing) -> None:
    session = asyncio.create_task(stage().prepare(JOB))
    await hearing.wait_started()
    session.cancel()
    with pytest.raises(asyncio.CancelledError):
        await session
    await hearing.wait_ended()


async def test_the_deadline_ends_a_preparation_and_its_work(hearing: Hearing) -> None:
    with pytest.raises(DeadlineExceeded, match=r"0\.05 s"):
        await stage(deadline_s=0.05).prepare(JOB)
    await hearing.wait_ended()


@pytest.mark.filterwarnings("error")
async def test_of_two_bad_media_the_photo_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(UnsupportedMedia, match="photo"):
        await stage().prepare(replace(BAD_PHOTO, audio=b"no sound"))
    assert caplog.records == []


PIXELS: NDArray[np.uint8] = np.zeros((3000, 4000, 3), np.uint8)
PROFILE = replace(fake_mesh((640, 480), 300), score=0.1)


def looks(faces: Faces) -> list[tuple[int, bool]]:
    return [(max(query.pixels.shape), query.only_tiles) for query in faces.queries]


def found(faces: Faces, pixels: NDArray[np.uint8] = PIXELS) -> Awaitable[list[FaceMesh]]:
    nobody = cast("Any", None)
    return ModelCalls(Models(cast("Any", faces), nobody, nobody), AppArgs()).faces(Portrait(pixels))


async def test_a_face_of_the_first_look_is_taken_in_the_photos_pixels() -> None:
    mesh = fake_mesh((640, 480), 300)
    faces = Faces([mesh])
    (taken,) = await found(faces)
    assert looks(faces) == [(1280, False)]
    np.testing.assert_allclose(taken.points, mesh.points * (4000 / 1280), rtol=1e-3)


async def test_the_second_look_searches_the_tiles_only() -> None:
    mesh = fake_mesh((2000, 1500), 50)
    faces = Faces([], [mesh])
    (taken,) = await found(faces)
    assert looks(faces) == [(1280, False), (4000, True)]
    np.testing.assert_allclose(taken.points, mesh.points, rtol=1e-3)


async def test_a_face_of_the_second_look_wins_over_a_profile_of_the_first() -> None:
    (taken,) = await found(Faces([PROFILE], [fake_mesh((2000, 1500), 80)]))
    assert taken.score == 1


@pytest.mark.parametrize("others", [[], [fake_mesh((2000, 1500), 50)]])
async def test_without_a_face_of_use_the_profile_is_told(others: list[FaceMesh]) -> None:
    (taken,) = await found(Faces([PROFILE], others))
    assert taken.score == PROFILE.score


async def test_a_photo_that_is_no_larger_than_the_copy_gets_one_look() -> None:
    faces = Faces([])
    assert await found(faces, PIXELS[:960, :1280]) == []
    assert looks(faces) == [(1280, False)]
