"""The HTTP door over a fake service."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from fractions import Fraction

import httpx
import pytest

from app.api.admission import Sessions
from app.api.app import create_app
from app.api.config import ApiConfig
from app.api.problems import STATUS
from app.api.service import Clip, Pictures, Recorded
from app.driving import TransferSettings
from app.errors import AppError, NoFace, NotReady, OverCapacity
from app.jobs import AnimateJob, ClipJob, FramesJob, LipsyncJob, MotionsJob, TalkJob
from app.values import ModelCard

CARD = ModelCard("portrait", "puppet", "eager", "float32", "Apache-2.0", embedded=True)


@dataclass
class FakeService:
    """Remembers jobs and answers with three chunks, or with an error."""

    error: Exception | None = None
    jobs: list[ClipJob | FramesJob | MotionsJob] = field(default_factory=list)
    seen: list[tuple[str, str]] = field(default_factory=list)
    closed: bool = False

    async def render(self, job: ClipJob) -> Clip:
        if self.error:
            raise self.error
        self.jobs.append(job)
        return Clip(b"a", self._rest(), 3, 2, [CARD], "face;dur=1.0", ("a-note", "b-note"))

    async def record(self, job: MotionsJob) -> Recorded:
        if self.error:
            raise self.error
        self.jobs.append(job)
        return Recorded(b"npz", 3, 1, [CARD])

    async def frames(self, job: FramesJob) -> Pictures:
        raise NotImplementedError

    async def _rest(self) -> AsyncGenerator[bytes, None]:
        try:
            for chunk in (b"b", b"c"):
                yield chunk
        finally:
            self.closed = True

    async def models(self) -> list[ModelCard]:
        if self.error:
            raise self.error
        return [CARD]

    async def metrics(self) -> bytes:
        return b"# HELP x\n"

    def observe(self, route: str, outcome: str, seconds: float) -> None:
        assert seconds >= 0
        self.seen.append((route, outcome))


def client(service: FakeService, max_upload_bytes: int = 100_000) -> httpx.AsyncClient:
    app = create_app(service, ApiConfig(max_upload_bytes=max_upload_bytes), Sessions(8))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


FILES = {"portrait": ("a.png", b"photo"), "audio": ("a.wav", b"sound")}


async def test_talk_streams_the_clip_and_says_who_made_it() -> None:
    service = FakeService()
    answer = await client(service).post("/v1/talk", files=FILES)
    assert answer.status_code == 200
    assert answer.content == b"abc"
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["x-digital-human-models"] == "portrait=puppet"
    assert answer.headers["x-digital-human-frames"] == "3"
    assert answer.headers["x-digital-human-faces"] == "2"
    assert answer.headers["x-digital-human-notes"] == "a-note, b-note"
    assert answer.headers["server-timing"] == "face;dur=1.0"
    assert service.closed
    assert service.seen == [("/v1/talk", "ok")]


async def test_defaults_and_options_reach_the_job() -> None:
    service = FakeService()
    await client(service).post("/v1/talk", files=FILES)
    options = {"fps": "29.97", "size": "source", "motion": "none", "face_index": "1", "seed": "9"}
    await client(service).post("/v1/talk", files=FILES, data=options)
    default, chosen = service.jobs
    assert default == TalkJob(b"photo", b"sound", Fraction(25), 512, "idle", None, 0)
    assert chosen == TalkJob(b"photo", b"sound", Fraction(30000, 1001), None, "none", 1, 9)


@pytest.mark.parametrize(
    ("field_name", "value"),
    [
        ("fps", "0"),
        ("fps", "61"),
        ("fps", "nan"),
        ("fps", "1/0"),
        ("size", "255"),
        ("size", "1025"),
        ("size", "big"),
        ("motion", "wild"),
        ("face_index", "-1"),
        ("seed", "1.5"),
    ],
)
async def test_a_bad_option_names_the_field(field_name: str, value: str) -> None:
    service = FakeService()
    answer = await client(service).post("/v1/talk", files=FILES, data={field_name: value})
    problem = answer.json()
    assert answer.status_code == 400
    assert problem["code"] == "bad_request"
    assert field_name in problem["detail"]
    assert service.jobs == []


async def test_missing_empty_repeated_and_wrong_parts() -> None:
    async def refused(**kwargs: object) -> str:
        answer = await client(FakeService()).post("/v1/talk", **kwargs)  # type: ignore[arg-type]
        assert answer.status_code == 400
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["hint"]
        return str(answer.json()["detail"])

    assert "audio" in await refused(files={"portrait": ("a", b"x")})
    assert "portrait" in await refused(files={"audio": ("a", b"x")})
    assert "empty" in await refused(files={**FILES, "audio": ("a", b"")})
    assert "not a file" in await refused(files={"portrait": ("a", b"x")}, data={"audio": "x"})
    twice = [("fps", (None, "25")), ("fps", (None, "30")), *FILES.items()]
    assert "more than once" in await refused(files=twice)
    assert "multipart" in await refused(json={"portrait": "x"})
    assert await refused(files={**FILES, "video": ("a", b"x")})
    broken = {"content-type": "multipart/form-data; boundary=x"}
    assert await refused(content=b"--y", headers=broken)


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
async def test_bytes_over_the_limit_are_refused(declared: bool) -> None:
    head = b'--x\r\ncontent-disposition: form-data; name="audio"; filename="a"\r\n\r\n'

    async def chunks() -> AsyncGenerator[bytes, None]:
        yield head
        for _ in range(100):
            yield b"y" * 100

    headers = {"content-type": "multipart/form-data; boundary=x"}
    content = head + b"y" * 10_000 if declared else chunks()
    service = FakeService()
    async with client(service, max_upload_bytes=2000) as http:
        answer = await http.post("/v1/talk", content=content, headers=headers)
    assert answer.status_code == 413
    assert answer.json()["code"] == "too_large"
    assert service.seen == [("/v1/talk", "too_large")]


def subclasses(base: type[AppError]) -> list[type[AppError]]:
    return [base, *(leaf for child in base.__subclasses__() for leaf in subclasses(child))]


def test_every_error_has_a_status() -> None:
    assert {error for error in subclasses(AppError) if error is not AppError} == set(STATUS)


async def test_an_error_raised_across_ray_is_answered_as_its_base() -> None:
    class RayNoFaceError(NoFace, RuntimeError):
        """As Ray makes it: of our class and of its own, with a traceback for text."""

        def __str__(self) -> str:
            return "traceback with paths"

    service = FakeService(RayNoFaceError("No face.", "Look here."))
    answer = await client(service).post("/v1/talk", files=FILES, headers={"x-request-id": "abc"})
    assert answer.status_code == 422
    assert answer.json() == {
        "type": "urn:digital-human:problem:no_face",
        "code": "no_face",
        "title": "No face found",
        "status": 422,
        "detail": "No face.",
        "hint": "Look here.",
        "request_id": "abc",
    }


async def test_over_capacity_says_when_to_return() -> None:
    answer = await client(FakeService(OverCapacity("Full.", "", 2.4))).post("/v1/talk", files=FILES)
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "3"
    assert "x-digital-human-ticket" not in answer.headers


async def test_a_ticket_goes_out_with_a_refusal_and_comes_in_with_a_talk() -> None:
    refusing, service = FakeService(OverCapacity("Full.", "", 2.0, "mine")), FakeService()
    answer = await client(refusing).post("/v1/talk", files=FILES)
    ticket = answer.headers["x-digital-human-ticket"]
    await client(service).post("/v1/talk", files=FILES, headers={"x-digital-human-ticket": ticket})
    (job,) = service.jobs
    assert isinstance(job, TalkJob)
    assert job.ticket == "mine"


async def test_a_bug_is_a_problem_without_its_inside() -> None:
    service = FakeService(ValueError("secret"))
    answer = await client(service).post("/v1/talk", files=FILES)
    assert answer.status_code == 500
    assert answer.json()["code"] == "internal"
    assert "secret" not in answer.text
    assert service.seen == [("/v1/talk", "internal")]


async def test_health_readiness_models_and_metrics() -> None:
    ready, lacking = client(FakeService()), client(FakeService(NotReady("No nets.", "Run fetch.")))
    assert (await ready.get("/readyz")).json() == {"status": "ready"}
    assert (await lacking.get("/healthz")).status_code == 200
    assert (await lacking.get("/readyz")).status_code == 503
    assert (await lacking.get("/readyz")).json()["hint"] == "Run fetch."
    (model,) = (await ready.get("/v1/models")).json()["data"]
    assert model["id"] == "puppet"
    assert model["embedded"] is True
    assert (await ready.get("/metrics")).text.startswith("# HELP")


async def test_unknown_routes_and_methods_are_problems() -> None:
    service = FakeService()
    http = client(service)
    assert (await http.get("/nope")).json()["code"] == "not_found"
    assert (await http.get("/v1/talk")).status_code == 405
    assert ("unknown", "not_found") in service.seen


async def test_animate_takes_a_driving_file_and_how_to_follow_it() -> None:
    service = FakeService()
    files = {"portrait": b"photo", "driving": b"video"}
    await client(service).post("/v1/animate", files=files)
    options = {"mode": "absolute", "region": "eyes", "multiplier": "0.5", "stitching": "false"}
    more = {"retarget_eyes": "true", "crop": "1", "fps": "50", "size": "source", "face_index": "2"}
    answer = await client(service).post("/v1/animate", files=files, data=options | more)
    assert answer.headers["content-disposition"] == 'inline; filename="animate.mp4"'
    assert service.jobs == [
        AnimateJob(b"photo", b"video", None, 512, None, False, TransferSettings()),
        AnimateJob(
            *(b"photo", b"video", Fraction(50), None, 2, True),
            TransferSettings("eyes", False, 0.5, stitching=False, retarget_eyes=True),
        ),
    ]


async def test_lipsync_takes_a_video_or_a_portrait_but_not_both() -> None:
    service = FakeService()
    for part in ("video", "portrait"):
        await client(service).post("/v1/lipsync", files={part: b"face", "audio": b"sound"})
    assert service.jobs == [
        LipsyncJob(b"face", False, b"sound", None, 512, None),
        LipsyncJob(b"face", True, b"sound", None, 512, None),
    ]
    for files in ({"audio": b"s"}, {"audio": b"s", "video": b"v", "portrait": b"p"}):
        answer = await client(service).post("/v1/lipsync", files=files)
        assert answer.status_code == 400
        assert "`video` and `portrait`" in answer.json()["detail"]


async def test_motions_answers_with_a_file_and_counts_the_frames_without_a_face() -> None:
    service = FakeService()
    files = {"driving": b"video"}
    answer = await client(service).post("/v1/motions", files=files, data={"fps": "30"})
    assert service.jobs == [MotionsJob(b"video", Fraction(30), None)]
    assert answer.content == b"npz"
    assert answer.headers["content-type"] == "application/x-npz"
    assert answer.headers["x-digital-human-frames-without-face"] == "1"


async def test_a_talk_follows_a_driving_file_only_where_both_are_sent() -> None:
    service = FakeService()
    with_driving = FILES | {"driving": ("d.mp4", b"video")}
    await client(service).post("/v1/talk", files=with_driving, data={"motion": "file"})
    (job,) = service.jobs
    assert isinstance(job, TalkJob)
    assert (job.motion, job.driving) == ("file", b"video")
    for files, motion in ((with_driving, "idle"), (FILES, "file")):
        answer = await client(service).post("/v1/talk", files=files, data={"motion": motion})
        assert answer.status_code == 400
        assert "`driving`" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("field_name", "value"),
    [
        ("mode", "both"),
        ("region", "nose"),
        ("multiplier", "4"),
        ("multiplier", "nan"),
        ("stitching", "perhaps"),
        ("crop", "2"),
    ],
)
async def test_a_bad_option_of_animate_names_the_field(field_name: str, value: str) -> None:
    files = {"portrait": b"photo", "driving": b"video"}
    answer = await client(FakeService()).post("/v1/animate", files=files, data={field_name: value})
    assert answer.status_code == 400
    assert field_name in answer.json()["detail"]
