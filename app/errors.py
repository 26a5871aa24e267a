"""Every error that a caller of this product may see.

AppError                  code, detail and hint; the HTTP status is chosen in app/api/problems.py
|-- BadRequest            bad_request        a part or option is missing, repeated or out of range
|-- UploadTimeout         upload_timeout     the body came too slowly
|-- TooLarge              too_large          bytes, pixels or parts over a limit
|-- UnsupportedMedia      unsupported_media  bytes that no decoder here reads
|-- AudioTooShort         audio_too_short    not even one frame of sound
|-- AudioTooLong          audio_too_long     over the limit of seconds
|-- AudioSilent           audio_silent       nothing to lip-sync to
|-- NoFace                no_face            the portrait shows no face, or not the asked one
|-- FaceTooSmall          face_too_small     a face too small to animate
|-- FaceTurnedAway        face_turned_away   a face too far from frontal
|-- Unauthorized          unauthorized       no key, or a wrong one
|-- UnknownPortrait       unknown_portrait   the portrait of an id is not kept (any more)
|-- OverCapacity          over_capacity      try again after `retry_after_s`
|-- NotReady              not_ready          weights are missing or models still load
|-- DeadlineExceeded      deadline           a model did not answer in time
`-- WeightsError          weights            a weight file is absent, damaged or not allowed

Every argument goes to `super().__init__` positionally, because Ray pickles exceptions by it.
"""

from typing import ClassVar


class AppError(Exception):
    """An error with a stable code, a sentence of detail and a hint on what to do.

    Args:
        detail: what is wrong, for the caller; holds no content of the caller's media.
        hint: what the caller can do about it.
    """

    code: ClassVar[str] = "error"
    title: ClassVar[str] = "Error"

    def __init__(self, detail: str, hint: str = "") -> None:
        super().__init__(detail, hint)
        self.detail = detail
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.detail} {self.hint}".rstrip()


class BadRequest(AppError):
    """A part or option is missing, repeated, unknown or out of range."""

    code = "bad_request"
    title = "Bad request"


class UploadTimeout(AppError):
    """The request's body took too long to arrive."""

    code = "upload_timeout"
    title = "Upload timeout"


class TooLarge(AppError):
    """Bytes, pixels or parts exceed a limit."""

    code = "too_large"
    title = "Too large"


class UnsupportedMedia(AppError):
    """Bytes that no decoder here reads, or that end too early."""

    code = "unsupported_media"
    title = "Unsupported media"


class AudioTooShort(AppError):
    """The recording is shorter than one video frame."""

    code = "audio_too_short"
    title = "Audio too short"


class AudioTooLong(AppError):
    """The recording exceeds the limit of seconds."""

    code = "audio_too_long"
    title = "Audio too long"


class AudioSilent(AppError):
    """The recording holds no sound to lip-sync to."""

    code = "audio_silent"
    title = "Audio silent"


class NoFace(AppError):
    """The portrait shows no face, or fewer than `face_index` asks for."""

    code = "no_face"
    title = "No face found"


class FaceTooSmall(AppError):
    """The face has too few pixels to animate."""

    code = "face_too_small"
    title = "Face too small"


class FaceTurnedAway(AppError):
    """The face is turned too far from the camera."""

    code = "face_turned_away"
    title = "Face turned away"


class Unauthorized(AppError):
    """The request bears no key, or a wrong one."""

    code = "unauthorized"
    title = "Unauthorized"


class UnknownPortrait(AppError):
    """No portrait of this id is kept here, or not any more."""

    code = "unknown_portrait"
    title = "Unknown portrait"


class OverCapacity(AppError):
    """No room for this request now; `retry_after_s` says when to come back.

    Args:
        detail: what is full.
        hint: what the caller can do.
        retry_after_s: wall-clock seconds after which a new try makes sense, > 0.
        ticket: keeps a place for that try; empty where none is kept.
    """

    code = "over_capacity"
    title = "Over capacity"

    def __init__(
        self, detail: str, hint: str = "", retry_after_s: float = 2.0, ticket: str = ""
    ) -> None:
        super().__init__(detail, hint)
        self.args = (detail, hint, retry_after_s, ticket)
        self.retry_after_s = retry_after_s
        self.ticket = ticket


class NotReady(AppError):
    """The server cannot work yet: weights are missing or a model is still loading."""

    code = "not_ready"
    title = "Not ready"


class DeadlineExceeded(AppError):
    """A model did not answer in time, or the media took too long to prepare."""

    code = "deadline"
    title = "Deadline exceeded"


class WeightsError(AppError):
    """A weight file is absent, damaged or not on the allow-list."""

    code = "weights"
    title = "Weights error"
