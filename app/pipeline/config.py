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

    prepare_deadline_s: float = Field(default=60.0, gt=0)
    """Wall-clock seconds from a session's start until its media are decoded and its face is
    found; the work stops then."""

    call_deadline_s: float = Field(default=30.0, gt=0)
    """Wall-clock seconds that one call of a model may take, queueing included."""
