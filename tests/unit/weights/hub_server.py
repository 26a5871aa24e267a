"""A model hub on this machine that can be made to misbehave."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class HubServer(ThreadingHTTPServer):
    """Serves one content under any path, and notes what it was asked.

    Attributes:
        content: of the file.
        ranges: whether it answers with ranges.
        cuts: how many bytes each coming answer holds before the connection is cut.
        statuses: of coming answers without content; popped first.
        redirects: whether /owner paths redirect to another one.
        asked: path and Range of each request.
    """

    daemon_threads = True

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content = content
        self.ranges = True
        self.redirects = False
        self.length = True
        self.cuts: list[int] = []
        self.statuses: list[int] = []
        self.asked: list[tuple[str, str]] = []

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that hang up, as they do once they know enough."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: HubServer

    def do_GET(self) -> None:
        hub = self.server
        wanted = self.headers.get("range", "")
        hub.asked.append((self.path, wanted))
        if hub.redirects and not self.path.startswith("/store/"):
            self.send_response(302)
            self.send_header("location", f"/store{self.path}")
            self.end_headers()
            return
        if hub.statuses:
            self.send_error(hub.statuses.pop(0))
            return
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted and hub.ranges else 0  # type: ignore[index]
        self.send_response(206 if start else 200)
        if start:
            end = len(hub.content)
            self.send_header("content-range", f"bytes {start}-{end - 1}/{end}")
        body = hub.content[start:]
        if hub.length:
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: hub.cuts.pop(0)] if hub.cuts else body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving(content: bytes) -> Iterator[HubServer]:
    server = HubServer(content)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
