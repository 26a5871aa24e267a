"""Lines of rooms that know no Ray end in Serve's log."""

import logging
from collections.abc import Iterator

import pytest

from app.serving.logs import ToServe


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    logger = logging.getLogger("app")
    before = list(logger.handlers)
    yield
    logger.handlers = before


class Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


def test_a_line_of_the_http_door_reaches_serves_handlers_once() -> None:
    kept = Kept()
    serve = logging.getLogger("ray.serve")
    serve.addHandler(kept)
    try:
        ToServe.attach()
        ToServe.attach()
        logging.getLogger("app.api.problems").error("Request %s failed.", "abc")
    finally:
        serve.removeHandler(kept)
    assert [record.getMessage() for record in kept.records] == ["Request abc failed."]
