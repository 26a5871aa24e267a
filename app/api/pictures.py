"""Several JPEG files in one answer: as a multipart document, or each after its length."""

import secrets
import struct

from starlette.responses import Response

from app.api.service import Pictures
from app.api.told import models_header

LENGTHS = "application/octet-stream"
MULTIPART = "multipart/mixed"


class PicturesResponse(Response):
    """Answers with all frames of a chunk at once.

    Args:
        pictures: the frames.
        accept: the request's header.
    """

    def __init__(self, pictures: Pictures, accept: str) -> None:
        headers = {
            "cache-control": "no-store",
            "x-digital-human-models": models_header(pictures.models),
            "x-digital-human-frames": str(len(pictures.jpegs)),
            "x-digital-human-faces": str(pictures.faces),
            "x-digital-human-portrait": pictures.portrait_id,
            "x-digital-human-gain-db": repr(pictures.gain_db),
            "server-timing": pictures.server_timing,
        }
        if pictures.notes:
            headers["x-digital-human-notes"] = ", ".join(pictures.notes)
        if wants_lengths(accept):
            super().__init__(with_lengths(pictures.jpegs), headers=headers, media_type=LENGTHS)
        else:
            boundary = secrets.token_hex(16)
            super().__init__(
                as_multipart(pictures.jpegs, boundary),
                headers=headers,
                media_type=f'{MULTIPART}; boundary="{boundary}"',
            )


def with_lengths(files: list[bytes]) -> bytes:
    """Return the files one after another, each after its length: 4 bytes, big-endian."""
    return b"".join(struct.pack(">I", len(file)) + file for file in files)


def as_multipart(files: list[bytes], boundary: str) -> bytes:
    """Return the files as a multipart document (RFC 2046).

    Args:
        files: JPEGs.
        boundary: occurs in none of them.
    """
    parts = [
        f"--{boundary}\r\ncontent-type: image/jpeg\r\ncontent-length: {len(file)}\r\n\r\n".encode()
        + file
        + b"\r\n"
        for file in files
    ]
    return b"".join(parts) + f"--{boundary}--\r\n".encode()


def wants_lengths(accept: str) -> bool:
    """Return whether an `Accept` header prefers lengths to the multipart document.

    Only who names `application/octet-stream` gets it, at the multipart's own quality or above.
    """
    quality = {LENGTHS: 0.0, MULTIPART: 0.0}
    for entry in accept.lower().split(","):
        kind, *parameters = (word.strip() for word in entry.split(";"))
        if kind in quality:
            quality[kind] = _quality(parameters)
    return quality[LENGTHS] > 0 and quality[LENGTHS] >= quality[MULTIPART]


def _quality(parameters: list[str]) -> float:
    """Return the weight among an entry's parameters, in [0, 1]; nonsense counts as none."""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                weight = float(value)
            except ValueError:
                return 0.0
            return weight if 0 <= weight <= 1 else 0.0
    return 1.0
