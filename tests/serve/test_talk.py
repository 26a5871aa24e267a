"""`POST /v1/talk` against the real application."""

import asyncio
from fractions import Fraction

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from app.client.server import LocalServer
from app.client.talk import talk
from app.demo.run import demo_speech
from app.media.frames import decode_frames
from app.media.probe import probe_video
from app.settings import AppArgs
from tests.serve.conftest import png, spoken, wav

GOOD_S = 0.4


async def assert_still_works(http: httpx.AsyncClient, portrait: bytes) -> None:
    files = {"portrait": portrait, "audio": spoken(GOOD_S)}
    answer = await http.post("/v1/talk", files=files, data={"size": "256"})
    assert answer.status_code == 200
    assert probe_video(answer.content).frames == GOOD_S * 25


def test_the_demo_job_is_exact(server: LocalServer, portrait: bytes) -> None:
    made = talk(server.url, portrait, demo_speech(), {"size": "512", "fps": "25"})
    facts = probe_video(made.video)
    assert facts.sound is not None
    assert facts.frames == 250
    assert made.headers["x-digital-human-frames"] == "250"
    assert made.headers["x-digital-human-models"] == "face=mediapipe, portrait=puppet, lips=viseme"
    assert (facts.width, facts.height, facts.fps) == (512, 512, Fraction(25))
    assert (facts.pixel_format, facts.colours) == ("yuv420p", (1, 1, 1, 1))
    assert facts.picture.errors == facts.sound.errors == 0
    assert abs(facts.picture.end_s - facts.sound.end_s) <= Fraction(1, 25)
    assert abs(facts.picture.end_s - 10) <= Fraction(1, 25)


async def test_options_shape_the_video(http: httpx.AsyncClient, portrait: bytes) -> None:
    files = {"portrait": portrait, "audio": spoken(1)}
    options = {"size": "300", "fps": "29.97", "motion": "none", "seed": "5"}
    answer = await http.post("/v1/talk", files=files, data=options)
    facts = probe_video(answer.content)
    assert (facts.width, facts.height, facts.frames) == (300, 300, 30)
    assert facts.fps == Fraction(30000, 1001)


async def test_equal_seeds_give_equal_videos(http: httpx.AsyncClient, portrait: bytes) -> None:
    async def video(seed: str) -> bytes:
        files = {"portrait": portrait, "audio": spoken(2)}
        answer = await http.post("/v1/talk", files=files, data={"size": "256", "seed": seed})
        return answer.content

    first, again, other = await video("1"), await video("1"), await video("2")
    assert first == again
    assert first != other


async def test_a_photo_on_its_side_is_turned(
    http: httpx.AsyncClient, astronaut: NDArray[np.uint8]
) -> None:
    upright, turned = astronaut[:, 40:472], np.rot90(astronaut[:, 40:472])
    videos = []
    for pixels in (upright, turned):
        files = {"portrait": png(np.ascontiguousarray(pixels)), "audio": spoken(GOOD_S)}
        answer = await http.post("/v1/talk", files=files, data={"motion": "none"})
        assert answer.status_code == 200
        videos.append(next(decode_frames(answer.content)).astype(np.int16))
    assert videos[0].shape == videos[1].shape
    assert np.abs(videos[0] - videos[1]).mean() < 4


NOISE = np.random.default_rng(0).integers(0, 255, (300, 300, 3), np.uint8)


@pytest.mark.parametrize(
    ("part", "content", "status", "code"),
    [
        ("portrait", png(NOISE), 422, "no_face"),
        ("portrait", b"Dear reader, this is text renamed to .png.", 415, "unsupported_media"),
        ("portrait", png(NOISE)[:20_000], 415, "unsupported_media"),
        ("portrait", b"", 400, "bad_request"),
        ("portrait", None, 400, "bad_request"),
        ("audio", demo_speech()[:90_000], 415, "unsupported_media"),
        ("audio", b"RIFF", 415, "unsupported_media"),
        ("audio", b"", 400, "bad_request"),
        ("audio", None, 400, "bad_request"),
        ("audio", wav(np.zeros(16_000, np.int16)), 422, "audio_silent"),
        ("audio", wav(np.full(80, 9000, np.int16)), 422, "audio_too_short"),
        ("audio", b"x" * (26 * 1024 * 1024), 413, "too_large"),
    ],
    ids=[
        "no_face",
        "text_as_png",
        "cut_png",
        "empty_portrait",
        "missing_portrait",
        "cut_flac",
        "cut_wav",
        "empty_audio",
        "missing_audio",
        "silence",
        "five_milliseconds",
        "over_the_size_limit",
    ],
)
async def test_bad_input_is_refused_and_the_next_request_works(
    http: httpx.AsyncClient,
    portrait: bytes,
    part: str,
    content: bytes | None,
    status: int,
    code: str,
) -> None:
    files = {"portrait": portrait, "audio": spoken(GOOD_S)}
    files.pop(part)
    if content is not None:
        files[part] = content
    answer = await http.post("/v1/talk", files=files)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == code
    assert problem["detail"]
    assert problem["hint"]
    assert problem["request_id"] == answer.headers["x-request-id"]
    await assert_still_works(http, portrait)


async def test_health_readiness_models_and_metrics(
    http: httpx.AsyncClient, portrait: bytes
) -> None:
    await assert_still_works(http, portrait)
    assert (await http.get("/healthz")).status_code == 200
    assert (await http.get("/readyz")).json() == {"status": "ready"}
    models = (await http.get("/v1/models")).json()["data"]
    assert {model["role"]: model["id"] for model in models} == {
        "face": "mediapipe",
        "portrait": "puppet",
        "lips": "viseme",
    }


async def test_metrics_count_the_requests(http: httpx.AsyncClient, portrait: bytes) -> None:
    await assert_still_works(http, portrait)
    await http.post("/v1/talk", files={"portrait": portrait})
    for _ in range(100):  # Ray exports every few seconds
        text = (await http.get("/metrics")).text
        lines = [line for line in text.splitlines() if line.startswith("digital_human_requests_to")]
        seen = {word for line in lines for word in ("ok", "bad_request") if f'="{word}"' in line}
        if seen == {"ok", "bad_request"}:
            break
        await asyncio.sleep(0.2)
    assert seen == {"ok", "bad_request"}
    assert "digital_human_latency_seconds_bucket" in text
    assert "digital_human_batch_frames_bucket" in text
    assert 'model="portrait"' in text
    assert 'stage="encode"' in text


async def test_more_sessions_than_places_are_told_to_come_back(
    http: httpx.AsyncClient, portrait: bytes
) -> None:
    files = {"portrait": portrait, "audio": spoken(2)}
    session = AppArgs().session
    places = session.max_sessions + session.max_waiting
    tries = (http.post("/v1/talk", files=files, data={"size": "256"}) for _ in range(places + 4))
    answers = await asyncio.gather(*tries)
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(200) >= places
    refused = [answer for answer in answers if answer.status_code != 200]
    assert refused
    for answer in refused:
        assert answer.status_code == 429
        assert answer.json()["code"] == "over_capacity"
        assert int(answer.headers["retry-after"]) > 0
    await assert_still_works(http, portrait)


async def test_a_recording_over_the_limit_is_refused(
    http: httpx.AsyncClient, portrait: bytes
) -> None:
    files = {"portrait": portrait, "audio": wav(np.full(8000 * 601, 900, np.int16), 8000)}
    answer = await http.post("/v1/talk", files=files)
    assert answer.status_code == 413
    assert answer.json()["code"] == "audio_too_long"
