"""Live streams beside each other and beside clips, against the real application."""

import asyncio

import httpx

from tests.serve.conftest import spoken

LIVE = {"pace": "live", "fps": "60", "size": "1024"}
MANY = 5


async def test_live_streams_that_do_not_fit_are_told_when_to_come_back(
    http: httpx.AsyncClient, portrait: bytes
) -> None:
    files = {"portrait": portrait, "audio": spoken(1.5)}
    # What is known of the speed comes from what was rendered.
    clip = await http.post("/v1/talk", files=files, data={"size": "1024"})
    assert clip.status_code == 200
    tries = (http.post("/v1/talk", files=files, data=LIVE) for _ in range(MANY))
    *answers, clip = await asyncio.gather(
        *tries, http.post("/v1/talk", files=files, data={"size": "256"})
    )
    assert clip.status_code == 200  # it goes on beside the live ones
    refused = [answer for answer in answers if answer.status_code != 200]
    assert refused  # 300 frames a second of this size are more than a machine of tests makes
    for answer in refused:
        assert (answer.status_code, answer.json()["code"]) == (429, "over_capacity")
        assert int(answer.headers["retry-after"]) > 0
        assert "live" in answer.json()["detail"]
    # Nothing of those refused or ended is kept.
    again = await http.post("/v1/talk", files=files, data={"pace": "live", "fps": "5"})
    assert again.status_code == 200
