"""Settings of the session loop."""

from pydantic import Field

from app.strict import Settings


class SessionConfig(Settings):
    """How one session is cut into work for the models."""

    max_sessions: int = Field(default=8, ge=1)
    """Sessions that one ingress replica takes at once, uploads included; more are answered 429.
    Below its `max_ongoing_requests`, so that health checks still get through."""

    group_frames: int = Field(default=8, ge=1, le=32)
    """Consecutive frames that travel together in one call."""

    groups_in_flight: int = Field(default=2, ge=1, le=8)
    """Groups of one session being made or encoded at once: this is the flow control."""

    prepare_deadline_s: float = Field(default=60.0, gt=0)
    """Wall-clock seconds from a session's start until its media are decoded and its face is
    found; the work stops then."""

    call_deadline_s: float = Field(default=30.0, gt=0)
    """Wall-clock seconds that one call of a model may take, queueing included."""
