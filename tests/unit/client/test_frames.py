"""How a client cuts speech into chunks, against a server that only listens."""

import io
import re
import struct
from fractions import Fraction

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.client.frames import AFTER, BEFORE, RATE_HZ, FrameStream, split_lengths
from app.client.talk import Refused
from app.media.chunk import AFTER_MS, BEFORE_MS, first_sample


class Listener:
    """Answers every chunk with its frames' numbers, and remembers what came."""

    def __init__(self) -> None:
        self.fields: list[dict[str, str]] = []
        self.audio: list[bytes] = []
        self.kept = True

    def __call__(self, request: httpx.Request) -> httpx.Response:
        boundary = request.headers["content-type"].partition("boundary=")[2]
        fields: dict[str, bytes] = {}
        for part in request.read().split(f"--{boundary}".encode())[1:-1]:
            head, _, content = part.partition(b"\r\n\r\n")
            name = re.search(rb'name="(\w+)"', head)
            assert name
            fields[name[1].decode()] = content[:-2]
        if "portrait_id" in fields and not self.kept:
            return httpx.Response(
                404, json={}, headers={"content-type": "application/problem+json"}
            )
        self.audio.append(fields.pop("audio"))
        self.fields.append({name: value.decode() for name, value in fields.items()})
        start, count = int(fields["start"]), int(fields["frames"])
        numbers = [str(number).encode() for number in range(start, start + count)]
        body = b"".join(struct.pack(">I", len(number)) + number for number in numbers)
        return httpx.Response(200, content=body, headers={"x-digital-human-portrait": "id"})


def listened(
    listener: Listener, fps: Fraction = Fraction(25), chunk_frames: int = 5
) -> FrameStream:
    stream = FrameStream("http://test", b"photo", fps, chunk_frames, {"size": "256", "seed": "1"})
    stream._http = httpx.Client(base_url="http://test", transport=httpx.MockTransport(listener))
    return stream


@settings(deadline=None, max_examples=30)
@given(
    st.sampled_from([Fraction(10), Fraction(25), Fraction(30000, 1001), Fraction(60)]),
    st.integers(1, 12),
    st.lists(st.integers(0, 20_000), min_size=1, max_size=6),
)
def test_every_frame_comes_once_with_the_speech_that_it_needs(
    fps: Fraction, chunk_frames: int, sizes: list[int]
) -> None:
    count = sum(sizes)
    speech = np.arange(count).astype("<i2").tobytes()
    listener, seen = Listener(), []
    with listened(listener, fps, chunk_frames) as stream:
        source = io.BytesIO(speech)
        for size in sizes:
            seen += [int(jpeg) for jpeg in stream.push(source.read(2 * size))]
        seen += [int(jpeg) for jpeg in stream.finish()]
    assert seen == list(range(int(count * fps / RATE_HZ + Fraction(1, 2))))
    for fields, audio in zip(listener.fields, listener.audio, strict=True):
        start, frames = int(fields["start"]), int(fields["frames"])
        before = round(float(fields["before_ms"]) * 16)
        first = first_sample(start, fps) - before
        assert before == min(BEFORE, first_sample(start, fps))
        stop = min(count, first_sample(start + frames, fps) + AFTER)
        assert audio == speech[2 * first : 2 * stop]


def test_the_context_is_what_the_server_hears() -> None:
    assert (BEFORE, AFTER) == (BEFORE_MS * 16, AFTER_MS * 16)


def test_the_photo_is_sent_first_and_again_once_it_is_lost() -> None:
    listener = Listener()
    with listened(listener) as stream:
        for number in range(3):
            listener.kept = number < 2
            assert len(list(stream.push(bytes(2 * (3200 + 3200 * (not number)))))) == 5
    sent = ["portrait" in fields for fields in listener.fields]
    assert sent == [True, False, True]
    assert [fields.get("size") for fields in listener.fields] == ["256", None, "256"]
    assert {fields["seed"] for fields in listener.fields} == {"1"}


def test_a_refusal_is_raised() -> None:
    stream = FrameStream("http://test", b"photo")
    problem = httpx.Response(
        422, json={"detail": "No face."}, headers={"content-type": "application/problem+json"}
    )
    stream._http = httpx.Client(
        base_url="http://test", transport=httpx.MockTransport(lambda request: problem)
    )
    with pytest.raises(Refused, match="No face"):
        list(stream.push(bytes(40_000)))


@pytest.mark.parametrize("data", [b"\0", b"\0\0\0\5four"])
def test_a_cut_answer_is_noticed(data: bytes) -> None:
    with pytest.raises(ValueError, match="ends within"):
        split_lengths(data)


@pytest.mark.parametrize(("fps", "chunk_frames"), [(Fraction(0), 5), (Fraction(25), 0)])
def test_chunks_of_nothing_are_refused(fps: Fraction, chunk_frames: int) -> None:
    with pytest.raises(ValueError, match="at least a frame"):
        FrameStream("http://test", b"photo", fps, chunk_frames)
