"""A collector of traces on loopback, as OTLP's HTTP protocol has it."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

PATIENCE_S = 15.0


@dataclass(frozen=True)
class Seen:
    """A span that came.

    Attributes:
        trace: hex id of its trace.
        id: hex.
        parent: hex id of its parent, or empty.
        name: of the span.
        kind: by its number in OTLP: 1 internal, 2 server, 3 client.
        deployment: whose it is.
        instance: of which process.
        attributes: by name.
        links: (trace, id) of each.
        started_ns: since 1970.
        ended_ns: since 1970.
        failed: whether its status is an error.
    """

    trace: str
    id: str
    parent: str
    name: str
    kind: int
    deployment: str
    instance: str
    attributes: dict[str, Any]
    links: tuple[tuple[str, str], ...]
    started_ns: int
    ended_ns: int
    failed: bool


class Collector:
    """Takes spans; a context manager.

    Attributes:
        endpoint: where they are to be sent.
        bodies: what came, as it came.
    """

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                collector.bodies.append(body)
                self.send_response(200)
                self.send_header("content-type", "application/x-protobuf")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}/v1/traces"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def spans(self) -> list[Seen]:
        """Return all spans that have come."""
        return [span for body in tuple(self.bodies) for span in _spans(body)]

    def wait(self, is_complete: Callable[[list[Seen]], bool]) -> list[Seen]:
        """Return all spans once they are complete, or time is up."""
        until_s = time.monotonic() + PATIENCE_S
        while not is_complete(self.spans()) and time.monotonic() < until_s:
            time.sleep(0.1)
        return self.spans()


def _spans(body: bytes) -> list[Seen]:
    message = ExportTraceServiceRequest.FromString(body)
    return [
        _seen(span, _values(resource.resource.attributes))
        for resource in message.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _seen(span: Any, resource: dict[str, Any]) -> Seen:  # noqa: ANN401 - protobuf
    return Seen(
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        name=span.name,
        kind=span.kind,
        deployment=resource["digital_human.deployment"],
        instance=resource["service.instance.id"],
        attributes=_values(span.attributes),
        links=tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
        started_ns=span.start_time_unix_nano,
        ended_ns=span.end_time_unix_nano,
        failed=span.status.code == 2,
    )


def _values(pairs: Any) -> dict[str, Any]:  # noqa: ANN401 - protobuf
    return {
        pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value")
        for pair in pairs
    }
