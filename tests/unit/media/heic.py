"""HEIC files for tests: one HEVC picture in the boxes of ISO/IEC 23008-12."""

import io
import struct

import av
import numpy as np
from numpy.typing import NDArray

_ONE_PICTURE = (
    "crf=5:log-level=none:pools=none:frame-threads=1:wpp=0:bframes=0:rc-lookahead=0:keyint=1"
)


def heic(rgb_HW3: NDArray[np.uint8], quarter_turns: int = 0, profile: bytes = b"") -> bytes:
    """Return a HEIC file of one picture, sides >= 64, to be shown turned counterclockwise."""
    config, picture = _hevc(rgb_HW3)
    height, width, _ = rgb_HW3.shape
    properties = [config, _full("ispe", struct.pack(">II", width, height))]
    if quarter_turns:
        properties.append(_box("irot", bytes([quarter_turns])))
    if profile:
        properties.append(_box("colr", b"prof" + profile))
    indices = bytes([len(properties), *(0x80 | 1 + i for i in range(len(properties)))])
    ipma = _full("ipma", struct.pack(">IH", 1, 1) + indices)
    item = _full("infe", struct.pack(">HH4s", 1, 0, b"hvc1") + b"\0", version=2)
    ftyp = _box("ftyp", b"heic" + bytes(4) + b"mif1heic")

    def meta(offset: int) -> bytes:
        where = struct.pack(">BBHHHHII", 0x44, 0, 1, 1, 0, 1, offset, len(picture))
        boxes = (
            _full("hdlr", bytes(4) + b"pict" + bytes(13)),
            _full("pitm", struct.pack(">H", 1)),
            _full("iinf", struct.pack(">H", 1) + item),
            _full("iloc", where),
            _box("iprp", _box("ipco", b"".join(properties)) + ipma),
        )
        return _full("meta", b"".join(boxes))

    head = len(ftyp) + len(meta(0))
    return ftyp + meta(head + 8) + _box("mdat", picture)


def _hevc(rgb_HW3: NDArray[np.uint8]) -> tuple[bytes, bytes]:
    """Return the hvcC box and the coded picture of an intra-coded MP4."""
    out = io.BytesIO()
    height, width, _ = rgb_HW3.shape
    with av.open(out, "w", format="mp4") as file:
        stream = file.add_stream("libx265", rate=1)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        # One picture, nothing looked ahead: with lookahead, flushing a lone frame fails at times.
        stream.options = {"x265-params": _ONE_PICTURE, "preset": "ultrafast"}
        file.mux(stream.encode(av.VideoFrame.from_ndarray(rgb_HW3, format="rgb24")))
        file.mux(stream.encode(None))
    data = out.getvalue()
    at = data.index(b"hvcC") - 4
    config = data[at : at + int.from_bytes(data[at : at + 4], "big")]
    with av.open(io.BytesIO(data), "r") as coded:
        packet = next(coded.demux(video=0))
    return config, bytes(packet)


def _box(kind: str, payload: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(payload), kind.encode()) + payload


def _full(kind: str, payload: bytes, version: int = 0) -> bytes:
    return _box(kind, struct.pack(">I", version << 24) + payload)
