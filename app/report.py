"""What is known of a video only once all of it is made, as the last box of its file.

The box is one of ISO/IEC 14496-12's `uuid` boxes, which players skip; it holds JSON.
"""

import json
import struct
import uuid
from collections.abc import Mapping

REPORT_ID = uuid.uuid5(uuid.NAMESPACE_URL, "urn:digital-human:report")
"""Of the box, the same in every video."""

_HEAD_BYTES = 8 + 16
_MAX_BYTES = 64 * 1024


def report_box(report: Mapping[str, int]) -> bytes:
    """Return the box."""
    content = json.dumps(dict(report)).encode()
    head = struct.pack(">I4s", _HEAD_BYTES + len(content), b"uuid")
    return head + REPORT_ID.bytes + content


def read_report(video: bytes) -> dict[str, int] | None:
    """Return the report of a video of ours, None if it has none.

    Args:
        video: a whole file.
    """
    start = video.rfind(b"uuid" + REPORT_ID.bytes, -_MAX_BYTES) - 4
    if start < 0:
        return None
    (size,) = struct.unpack_from(">I", video, start)
    if start + size != len(video):
        return None
    report: dict[str, int] = json.loads(video[start + _HEAD_BYTES :])
    return report
