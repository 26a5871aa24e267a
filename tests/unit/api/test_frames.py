"""`POST /v1/frames` at the HTTP door: its fields, and how several pictures come in one answer."""

from fractions import Fraction
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from python_multipart.multipart import MultipartParser, parse_options_header

from app.api.pictures import as_multipart, wants_lengths, with_lengths
from app.api.service import Pictures
from app.client.frames import split_lengths
from app.errors import UnknownPortrait
from app.jobs import FramesJob, TalkJob
from tests.unit.api.test_app import CARD, FakeService, client

ID = "0123456789abcdef" * 4
AUDIO = {"audio": ("a.wav", b"sound")}
FILES = {"portrait": ("a.png", b"photo"), **AUDIO}
JPEGS = [b"\xff\xd8one", b"\xff\xd8\r\n--two\r\n"]


class Frames(FakeService):
    """Answers a chunk with two pictures."""

    async def frames(self, job: FramesJob) -> Pictures:
        if self.error:
            raise self.error
        self.jobs.append(job)
        return Pictures(JPEGS, ID, 2, -3.25, [CARD], "decode;dur=1.0", ("a-note",))


def split_multipart(data: bytes, content_type: str) -> list[tuple[dict[str, str], bytes]]:
    """Return headers and content of each part, by a parser that is not ours."""
    kind, parameters = parse_options_header(content_type)
    assert kind == b"multipart/mixed"
    parts: list[tuple[dict[str, str], bytearray]] = []
    names: list[bytes] = [b""]

    def begin() -> None:
        parts.append(({}, bytearray()))

    def field(data: bytes, start: int, end: int) -> None:
        names[0] = data[start:end]

    def value(data: bytes, start: int, end: int) -> None:
        parts[-1][0][names[0].decode().lower()] = data[start:end].decode()

    def content(data: bytes, start: int, end: int) -> None:
        parts[-1][1].extend(data[start:end])

    parser = MultipartParser(
        parameters[b"boundary"],
        {
            "on_part_begin": begin,
            "on_header_field": field,
            "on_header_value": value,
            "on_part_data": content,
        },
    )
    parser.write(data)
    parser.finalize()
    return [(headers, bytes(content)) for headers, content in parts]


async def posted(service: Frames, files: dict[str, Any], **data: str) -> httpx.Response:
    return await client(service).post("/v1/frames", files=files, data=data)


async def test_defaults_and_options_reach_the_job() -> None:
    service = Frames()
    await posted(service, FILES)
    options = {"fps": "30", "size": "source", "face_index": "1", "motion": "none", "seed": "9"}
    chunk = {"start": "75", "frames": "5", "before_ms": "40", "gain_db": "-1.5", "quality": "60"}
    await posted(service, FILES, **options, **chunk)
    default, chosen = service.jobs
    assert default == FramesJob(
        *(b"photo", b"sound", False, Fraction(25), 512, None, "idle", 0, 0, None, 0.0, None, 90)
    )
    assert chosen == FramesJob(
        *(b"photo", b"sound", False, Fraction(30), None, 1, "none", 9, 75, 5, 40.0, -1.5, 60)
    )


@pytest.mark.parametrize(
    ("field_name", "value"),
    [
        ("motion", "file"),
        ("start", "-1"),
        ("start", "3000000"),
        ("frames", "0"),
        ("before_ms", "nan"),
        ("before_ms", "-1"),
        ("gain_db", "21"),
        ("quality", "0"),
        ("quality", "96"),
        ("portrait_id", "short"),
        ("pace", "live"),
    ],
)
async def test_a_bad_option_is_refused(field_name: str, value: str) -> None:
    service = Frames()
    answer = await posted(service, FILES, **{field_name: value})
    assert answer.status_code == 400
    problem = answer.json()
    assert field_name in problem["detail"] or "unknown" in problem["detail"]
    assert problem["hint"]
    assert service.jobs == []


async def test_a_kept_portrait_takes_the_photos_place() -> None:
    service = Frames()
    assert (await posted(service, AUDIO, portrait_id=ID, start="5")).status_code == 200
    (job,) = service.jobs
    assert isinstance(job, FramesJob)
    assert (job.portrait, job.start) == (ID, 5)


@pytest.mark.parametrize(
    ("files", "fields", "said"),
    [
        (FILES, {"portrait_id": ID}, "both"),
        (AUDIO, {"portrait_id": ID, "size": "512"}, "`size`"),
        (AUDIO, {"portrait_id": ID, "face_index": "0"}, "`face_index`"),
        (AUDIO, {}, "`portrait` is missing"),
    ],
    ids=["both", "size", "face", "neither"],
)
async def test_a_kept_portrait_comes_alone(
    files: dict[str, Any], fields: dict[str, str], said: str
) -> None:
    answer = await posted(Frames(), files, **fields)
    assert answer.status_code == 400
    assert said in answer.json()["detail"]


async def test_a_portrait_that_is_not_kept_is_told_by_its_code() -> None:
    answer = await posted(Frames(UnknownPortrait("Gone.", "Send it.")), AUDIO, portrait_id=ID)
    assert answer.status_code == 404
    assert answer.json()["code"] == "unknown_portrait"


@pytest.mark.parametrize(
    ("content_type", "is_raw"),
    [
        ("audio/l16;rate=16000", True),
        ("audio/L16; rate=16000; channels=1", True),
        ("audio/pcm;rate=16000", True),
        ("audio/wav", False),
        ("application/octet-stream", False),
    ],
)
async def test_bare_samples_are_known_by_their_type(content_type: str, is_raw: bool) -> None:
    service = Frames()
    await posted(service, {**FILES, "audio": ("a", b"\0\0", content_type)})
    (job,) = service.jobs
    assert isinstance(job, FramesJob)
    assert job.is_raw is is_raw


@pytest.mark.parametrize(
    "content_type",
    ["audio/l16", "audio/l16;rate=8000", "audio/pcm;rate=48000", "audio/l16;rate=16000;channels=2"],
)
async def test_other_bare_samples_are_refused(content_type: str) -> None:
    answer = await posted(Frames(), {**FILES, "audio": ("a", b"\0\0", content_type)})
    assert answer.status_code == 415
    assert "16 kHz" in answer.json()["detail"]


async def test_an_answer_is_a_multipart_document_that_says_who_made_it() -> None:
    service = Frames()
    answer = await posted(service, FILES)
    assert answer.status_code == 200
    parts = split_multipart(answer.content, answer.headers["content-type"])
    assert [content for _, content in parts] == JPEGS
    assert [headers["content-type"] for headers, _ in parts] == ["image/jpeg"] * 2
    assert [int(headers["content-length"]) for headers, _ in parts] == [5, 11]
    assert answer.headers["x-digital-human-frames"] == "2"
    assert answer.headers["x-digital-human-faces"] == "2"
    assert answer.headers["x-digital-human-portrait"] == ID
    assert answer.headers["x-digital-human-gain-db"] == "-3.25"
    assert answer.headers["x-digital-human-models"] == "portrait=puppet"
    assert answer.headers["x-digital-human-notes"] == "a-note"
    assert answer.headers["server-timing"] == "decode;dur=1.0"
    assert answer.headers["cache-control"] == "no-store"
    assert service.seen == [("/v1/frames", "ok")]


async def test_lengths_come_to_who_asks_for_them() -> None:
    headers = {"accept": "application/octet-stream"}
    answer = await client(Frames()).post("/v1/frames", files=FILES, headers=headers)
    assert answer.headers["content-type"] == "application/octet-stream"
    assert split_lengths(answer.content) == JPEGS


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", False),
        ("*/*", False),
        ("multipart/mixed", False),
        ("application/octet-stream", True),
        ("Application/Octet-Stream;q=0.5, */*", True),
        ("application/octet-stream;q=0", False),
        ("multipart/mixed, application/octet-stream;q=0.9", False),
        ("multipart/mixed;q=0.2, application/octet-stream; q=0.9", True),
        ("application/octet-stream;q=much", False),
        ("application/octet-stream;q=nan", False),
    ],
)
def test_accept_chooses_the_framing(accept: str, expected: bool) -> None:
    assert wants_lengths(accept) is expected


@given(st.lists(st.binary(max_size=300), max_size=6))
def test_files_come_back_from_both_framings(files: list[bytes]) -> None:
    assert split_lengths(with_lengths(files)) == files
    boundary = "an5boundary"
    if files and not any(boundary.encode() in file for file in files):
        document = as_multipart(files, boundary)
        parts = split_multipart(document, f'multipart/mixed; boundary="{boundary}"')
        assert [content for _, content in parts] == files


@given(st.lists(st.binary(min_size=1, max_size=50), min_size=1, max_size=4), st.data())
def test_a_cut_answer_is_noticed_or_ends_between_files(
    files: list[bytes], data: st.DataObject
) -> None:
    whole = with_lengths(files)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    try:
        found = split_lengths(cut)
    except ValueError:
        return
    assert found == files[: len(found)]
    assert with_lengths(found) == cut


async def test_text_fields_may_stand_in_the_address() -> None:
    service = Frames()
    answer = await client(service).post("/v1/talk?pace=live&seed=3", files=FILES)
    assert answer.status_code == 200
    (job,) = service.jobs
    assert isinstance(job, TalkJob)
    assert (job.pace, job.seed) == ("live", 3)


@pytest.mark.parametrize(
    ("query", "data"),
    [("pace=fast", {}), ("pace=live", {"pace": "live"}), ("pace=live&pace=free", {})],
    ids=["value", "with the form", "twice"],
)
async def test_fields_in_the_address_are_as_strict_as_the_forms(
    query: str, data: dict[str, str]
) -> None:
    service = Frames()
    answer = await client(service).post(f"/v1/talk?{query}", files=FILES, data=data)
    assert answer.status_code == 400
    assert service.jobs == []


async def test_what_is_no_field_in_the_address_is_left_alone() -> None:
    service = Frames()
    answer = await client(service).post("/v1/talk?from=a-page&portrait=x", files=FILES)
    assert answer.status_code == 200
    (job,) = service.jobs
    assert isinstance(job, TalkJob)
    assert (job.portrait, job.pace) == (b"photo", "free")
