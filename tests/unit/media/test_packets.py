"""All packets of a track come, whatever happens at the end."""

import io
from collections.abc import Iterator
from typing import Any, cast

import av

from app.media.packets import packets_of
from tests.unit.media.videos import barred, encoded_video


def test_all_packets_come_and_an_empty_one() -> None:
    data = encoded_video([barred(i) for i in range(9)])
    with av.open(io.BytesIO(data), "r") as container:
        packets = list(packets_of(container, container.streams.video[0]))
    assert [bool(packet.size) for packet in packets] == [True] * 9 + [False]


def test_a_track_that_appears_midway_does_no_harm() -> None:
    class Container:
        def demux(self, stream: str) -> Iterator[str]:
            yield from [stream, stream]
            raise IndexError("list index out of range")

    packets: list[Any] = list(packets_of(cast("Any", Container()), cast("Any", "track")))
    assert packets == ["track"] * 2
