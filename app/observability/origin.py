"""For whom work is done: what log lines and spans of every replica have in common."""

from contextvars import ContextVar
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Origin:
    """The request behind a call; travels with every call of a model.

    Attributes:
        request_id: the client's `x-request-id`, or what the proxy made; may repeat.
        session_id: ours, random, for one request that brings work; empty for others.
        traceparent: W3C, of the span that the work belongs to; empty where nothing is traced.
    """

    request_id: str = ""
    session_id: str = ""
    traceparent: str = ""


NOBODY = Origin()

ORIGINS: ContextVar[tuple[Origin, ...]] = ContextVar("origins", default=())
"""For whom this task or thread works now: several while a model runs a batch."""

SPAN: ContextVar[str] = ContextVar("span", default="")
"""`traceparent` of the span that this task is in, or empty."""


def origin() -> Origin:
    """Return the one request that this task works for, and the span that it is in now."""
    origins = ORIGINS.get()
    return replace(origins[0] if len(origins) == 1 else NOBODY, traceparent=SPAN.get())


def trace_id(traceparent: str) -> str:
    """Return the trace id within a `traceparent`, 32 hex digits, or nothing."""
    parts = traceparent.split("-")
    return parts[1] if len(parts) >= 4 else ""
