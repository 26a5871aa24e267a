"""Settings of the session loop."""

from pydantic import Field

from app.strict import Settings


class SessionConfig(Settings):
    """How one session is cut into work for the models."""

    max_sessions: int = Field(default=8, ge=1)
    """Sessions that one ingress replica takes at once, uploads included; more wait or are answered
    429. With those that wait below its `max_ongoing_requests`, so that health checks still get
    through."""

    max_waiting: int = Field(default=4, ge=0)
    """Sessions that wait for a place in one ingress replica, before their body is read."""

    max_wait_s: float = Field(default=20.0, gt=0)
    """Wall-clock seconds that one waits at most; whoever would wait longer, by how long sessions
    took lately, is answered 429 at once, with a `Retry-After` by the same measure."""

    group_frames: int = Field(default=8, ge=1, le=32)
    """Consecutive frames that travel together in one call."""

    groups_in_flight: int = Field(default=2, ge=1, le=8)
    """Groups of one session being made or encoded at once: this is the flow control."""

    live_group_frames: int = Field(default=2, ge=1, le=32)
    """Frames of the first group at `pace=live`; each group after it has twice as many, up to
    `group_frames` and to what plays in `live_lead_s`."""

    live_lead_s: float = Field(default=0.5, gt=0, le=10)
    """How far a video at `pace=live` may be ahead of its viewer, in seconds. More outlasts longer
    delays, and is lost work if the viewer leaves."""

    prepare_deadline_s: float = Field(default=60.0, gt=0)
    """Wall-clock seconds from a session's start until its media are decoded and its face is
    found; the work stops then."""

    call_deadline_s: float = Field(default=30.0, gt=0)
    """Wall-clock seconds that one call of a model may take, queueing included."""


class FramesConfig(Settings):
    """Chunks of `POST /v1/frames`, and the portraits that are kept from one to the next."""

    max_speech_s: float = Field(default=1.0, gt=0, le=10)
    """Longest speech of one chunk's frames, in seconds."""

    max_context_s: float = Field(default=0.5, ge=0.46, le=10)
    """Longest speech that a chunk may bring beyond that, before and after it, in seconds."""

    cached_portraits: int = Field(default=256, ge=1)
    """Portraits that one ingress replica keeps for chunks to come; the least recently used go."""

    cache_bytes: int = Field(default=134_217_728, ge=1)
    """Bound of what they take in Ray's object store; one in use may exceed it."""
