"""Lines of rooms that know no Ray end in Serve's log."""

import logging
from collections.abc import Iterator

import pytest

from app.observability.origin import ORIGINS, SPAN, Origin
from app.serving.logs import Ids, ToServe


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    logger, serve = logging.getLogger("app"), logging.getLogger("ray.serve")
    before = list(logger.handlers), list(serve.filters)
    yield
    logger.handlers, serve.filters = before


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


def told(*origins: Origin, span: str = "") -> dict[str, object]:
    """Return what is added to a record that is written for these."""
    record = logging.makeLogRecord({"msg": "A line."})
    before = set(vars(record))
    tokens = ORIGINS.set(origins), SPAN.set(span)
    assert Ids().filter(record)
    ORIGINS.reset(tokens[0])
    SPAN.reset(tokens[1])
    return {name: value for name, value in vars(record).items() if name not in before}


PARENT = f"00-{'ab' * 16}-{'cd' * 8}-01"


def test_a_line_says_for_whom_it_is() -> None:
    first, second = Origin("r1", "s1"), Origin("r2", "s2")
    assert told() == {}
    assert told(first) == {"request_id": "r1", "session_id": "s1"}
    assert told(first, second, first) == {
        "request_ids": ["r1", "r2"],
        "session_ids": ["s1", "s2"],
    }


def test_a_line_names_the_trace_that_it_belongs_to() -> None:
    assert told(Origin("r", "s", PARENT))["trace_id"] == "ab" * 16
    assert told(Origin("r", "s"), span=PARENT)["trace_id"] == "ab" * 16


def test_lines_of_serves_logger_get_their_ids() -> None:
    kept, serve = Kept(), logging.getLogger("ray.serve")
    serve.addHandler(kept)
    token = ORIGINS.set((Origin("r", "s"),))
    try:
        ToServe.attach()
        serve.warning("Of a replica.")
        logging.getLogger("app.media").warning("Of a room.")
    finally:
        ORIGINS.reset(token)
        serve.removeHandler(kept)
    assert [vars(record)["session_id"] for record in kept.records] == ["s", "s"]
