"""When a client has seen its first playable fragment."""

import pytest

from app.client.talk import Refused, has_fragment


def box(kind: bytes, size: int = 16) -> bytes:
    return size.to_bytes(4) + kind + bytes(size - 8)


HEAD = box(b"ftyp") + box(b"moov", 700)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", False),
        (HEAD, False),
        (HEAD + box(b"moof"), False),
        (HEAD + box(b"moof") + box(b"mdat", 500)[:-1], False),
        (HEAD + box(b"moof") + box(b"mdat", 500), True),
        (HEAD + box(b"moof") + box(b"mdat", 500) + b"\0\0", True),
        (box(b"mdat") + box(b"moof"), False),
        (b"\0\0\0\0moof", False),
    ],
)
def test_a_fragment_counts_once_all_of_its_media_are_there(data: bytes, expected: bool) -> None:
    assert has_fragment(data) is expected


def test_a_refusal_reads_as_a_sentence() -> None:
    refused = Refused(422, {"detail": "No face.", "hint": "Look here."})
    assert str(refused) == "422 No face. Look here."
