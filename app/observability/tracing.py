"""What is traced, and by which names. Knows no OpenTelemetry: `app.serving.tracing` does.

A trace of a talk, indented by parent; the last two come from the model's replica:

POST /v1/talk                 the request, SERVER
|-- decode, face, layout      stages before the first frame
|   `-- face.analyze          a call of a model, CLIENT; beneath every call `queue` and `run`
|-- group                     eight frames: `first_frame`, `frames`
|   |-- animate
|   |   `-- portrait.animate
|   |       |-- queue         until the engine took the call up
|   |       `-- run           its run; links to `batch`
|   `-- cut, paint, blend     `paint` has `lips.paint` beneath it
`-- encode                    of each group, in order

A run may join calls of several requests. It is told once, as `batch`, a trace of its own that
links to every call in it; each call's `run` links back.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Literal, Protocol

Value = str | int | float | bool
Kind = Literal["internal", "server", "client"]

PREFIX = "digital_human."
REQUEST_ID = PREFIX + "request_id"
SESSION_ID = PREFIX + "session_id"
OUTCOME = PREFIX + "outcome"
MODEL = PREFIX + "model"
VARIANT = PREFIX + "variant"
BACKEND = PREFIX + "backend"
PRECISION = PREFIX + "precision"
DEVICE = PREFIX + "device"
CALLS = PREFIX + "batch.calls"
FRAMES = PREFIX + "batch.frames"
BUCKET = PREFIX + "batch.bucket"
FIRST_FRAME = PREFIX + "first_frame"
GROUP_FRAMES = PREFIX + "frames"
METHOD = "http.request.method"
ROUTE = "http.route"
STATUS = "http.response.status_code"
ERROR = "error.type"
"""Attributes; the last four are of OpenTelemetry's own conventions. None holds content of users."""


class Span(Protocol):
    """A span under way."""

    def rename(self, name: str) -> None:
        """Give it another name."""
        ...

    def note(self, name: str, value: Value) -> None:
        """Set an attribute."""
        ...

    def fail(self, kind: str) -> None:
        """Say that it failed, by a name from a closed set such as an error's code."""
        ...


class Tracer(Protocol):
    """Makes spans."""

    def span(
        self,
        name: str,
        kind: Kind = "internal",
        parent: str | None = None,
        attributes: dict[str, Value] | None = None,
    ) -> AbstractContextManager[Span]:
        """Return a span around what is done within.

        Args:
            name: of the span.
            kind: of the span.
            parent: `traceparent` of its parent, empty for none; by default the span that this
                task is in.
            attributes: that are known already.
        """
        ...

    def past(
        self,
        name: str,
        spent_ns: tuple[int, int],
        parent: str = "",
        links: Sequence[str] = (),
        attributes: dict[str, Value] | None = None,
        error: str = "",
    ) -> str:
        """Record a span that has ended, and return its `traceparent`.

        Args:
            name: of the span.
            spent_ns: its start and end, nanoseconds since 1970.
            parent: `traceparent` of its parent, empty for none.
            links: `traceparent` of other spans. A span without parent that links to any is
                recorded whatever the share of requests is.
            attributes: of the span.
            error: kind of its failure, or empty.
        """
        ...


class _NoSpan:
    """Takes everything and keeps nothing."""

    def rename(self, name: str) -> None:
        pass

    def note(self, name: str, value: Value) -> None:
        pass

    def fail(self, kind: str) -> None:
        pass


_NOTHING: AbstractContextManager[Span] = nullcontext(_NoSpan())


class NoTracer:
    """Traces nothing; a call costs as much as an empty function."""

    def span(
        self,
        name: str,
        kind: Kind = "internal",
        parent: str | None = None,
        attributes: dict[str, Value] | None = None,
    ) -> AbstractContextManager[Span]:
        """Return a context that does nothing."""
        return _NOTHING

    def past(
        self,
        name: str,
        spent_ns: tuple[int, int],
        parent: str = "",
        links: Sequence[str] = (),
        attributes: dict[str, Value] | None = None,
        error: str = "",
    ) -> str:
        """Return nothing."""
        return ""


def is_sampled(traceparent: str) -> bool:
    """Return whether a span with this `traceparent` is recorded."""
    parts = traceparent.split("-")
    return len(parts) >= 4 and bool(int(parts[3][:2] or "0", 16) & 1)
