"""Dashboards drawn over a Prometheus that is made up: what is asked, how it reads, what is said."""

import json
import math
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import cv2
import httpx
import numpy as np
import pytest

from app.bench.__main__ import main
from app.bench.dashboard_answers import Answer, Series, Span, answers
from app.bench.dashboard_picture import draw
from app.bench.dashboard_units import text_of_value
from app.errors import BadRequest, NotReady
from app.observability.dashboards import dashboards
from app.observability.grafana import Dashboard, Panel, Query

SPAN = Span(1_800_000_000, 1_800_000_060)
LABELS = {"route": "/v1/talk", "model": "lips", "instance": "a", "gpu": "0", "outcome": "ok"}


def board(*panels: Panel, **variables: str) -> Dashboard:
    return Dashboard("b", "B", panels, variables)


def client(*results: tuple[dict[str, str], list[tuple[float, str]]]) -> httpx.Client:
    """Return a client of a Prometheus that answers every query with the same series."""

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(dict(request.url.params))
        found = [{"metric": metric, "values": values} for metric, values in results]
        return httpx.Response(200, json={"status": "success", "data": {"result": found}})

    asked.clear()
    return httpx.Client(base_url="http://prometheus", transport=httpx.MockTransport(answer))


asked: list[dict[str, str]] = []


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "s", "0 s"),
        (0.00042, "s", "420 \u00b5s"),
        (0.0423, "s", "42.3 ms"),
        (1.5, "s", "1.50 s"),
        (90, "s", "1.50 min"),
        (0.1234, "percentunit", "12.3%"),
        (1, "percentunit", "100%"),
        (1234567, "short", "1.23 Mil"),
        (8, "short", "8"),
        (3 * 2**29, "bytes", "1.50 GiB"),
        (0.25, "reqps", "0.250 req/s"),
        (2500, "ops", "2.50K ops/s"),
        (0.2, "currencyUSD", "$0.200"),
        (25, "suffix: frames/s", "25 frames/s"),
        (math.inf, "currencyUSD", "+Inf"),
        (math.nan, "s", "NaN"),
    ],
)
def test_values_read_as_grafana_writes_them(value: float, unit: str, text: str) -> None:
    assert text_of_value(value, unit) == text


def test_every_unit_of_a_panel_is_known() -> None:
    for panel in (panel for each in dashboards() for panel in each.panels):
        assert text_of_value(1, panel.unit)
    with pytest.raises(ValueError, match="furlongs"):
        text_of_value(1, "furlongs")


def test_variables_and_labels_are_filled_in_and_what_is_absent_is_a_gap() -> None:
    values = [(SPAN.start_s, "1"), (SPAN.start_s + 2, "NaN"), (SPAN.start_s + 3, "+Inf")]
    panel = Panel("P", "s", [Query("$price * x", "{{route}} {{ gone }}p95")])
    with client((LABELS, values)) as http:
        (shown,) = answers(http, board(panel, price="1.5"), SPAN)
    assert asked[0] == {
        "query": "1.5 * x",
        "start": str(SPAN.start_s),
        "end": str(SPAN.end_s),
        "step": "1.0",
    }
    (series,) = shown.series
    assert series.legend == "/v1/talk p95"
    assert len(series.values) == 61
    first = list(series.values.values())[:5]
    assert first[0] == 1
    assert math.isnan(first[1])
    assert math.isnan(first[2])
    assert first[3] == series.last == math.inf
    assert shown.odd == ("/v1/talk p95",)


def test_a_refused_query_and_a_silent_prometheus_are_told() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        return httpx.Response(400, json={"status": "error", "error": "parse error"})

    def silent(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    panels = board(Panel("P", "s", [Query("x(", "x")]))
    for handler, error in ((refuse, BadRequest), (silent, NotReady)):
        transport = httpx.MockTransport(handler)
        with httpx.Client(base_url="http://p", transport=transport) as http, pytest.raises(error):
            answers(http, panels, SPAN)


def test_a_panel_shows_its_line_and_without_data_says_so(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the extra `bench` is not installed")
    panel = Panel("P", "s", [Query("x", "x")])
    times = [SPAN.start_s + second for second in range(61)]
    line = Series("x", {at_s: at_s - SPAN.start_s for at_s in times})
    empty = Series("x", dict.fromkeys(times, math.nan))
    pictures = []
    for number, series in enumerate([(line,), (empty,), ()]):
        file = tmp_path / f"{number}.png"
        draw(board(panel), [Answer(panel, series)], SPAN, file)
        picture = cv2.imread(str(file))
        assert picture is not None
        pictures.append(picture.astype(int))
    blue = [int(np.sum(picture[..., 0] > picture[..., 2] + 60)) for picture in pictures]
    assert blue[0] > 10 * blue[1] > 0 == blue[2]  # a line and its legend, the legend, neither
    height, width = pictures[2].shape[:2]
    middle = np.s_[height // 2 - 10 : height // 2 + 40, width // 4 - 60 : width // 4 + 60]
    assert np.sum(pictures[2][middle].max(2) < 160) > 50  # "No data"


class Made(BaseHTTPRequestHandler):
    """A Prometheus with one series for every query, but nothing of GPUs and of requests +Inf."""

    def do_GET(self) -> None:
        words = {name: texts[0] for name, texts in parse_qs(urlsplit(self.path).query).items()}
        start_s, step_s = float(words["start"]), float(words["step"])
        text = "+Inf" if "requests_per_second" in words["query"] else "0.25"
        values = [[start_s + step_s * number, text] for number in range(400)]
        found: list[dict[str, Any]] = [{"metric": LABELS, "values": values}]
        if "gpu_memory_bytes" in words["query"]:
            found = []
        body = json.dumps({"status": "success", "data": {"result": found}}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def made() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Made)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_command_draws_every_dashboard_and_names_what_is_empty_or_infinite(
    made: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib", reason="the extra `bench` is not installed")
    words = ["--prometheus", made, "--out", str(tmp_path), "--minutes", "5"]
    assert main(["dashboards", *words]) == 0
    said = capsys.readouterr().out
    for each in dashboards():
        picture = cv2.imread(str(tmp_path / f"{each.name}.png"))
        assert picture is not None
        bottom = max(
            y + panel.size[1] for (_, y), panel in zip(each.places(), each.panels, strict=True)
        )
        assert picture.shape[0] == pytest.approx(33 * bottom + 51, abs=2)
    notes = [line.strip() for line in said.splitlines() if line.startswith("  ")]
    assert notes == [
        "infinite at times: Finished requests",
        "no data: Memory in use",
        "no data: Share of memory",
        "infinite at times: A thousand requests",
    ]


def test_a_missing_prometheus_ends_the_command_with_a_hint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--prometheus", "http://127.0.0.1:9", "--out", str(tmp_path)]
    assert main(["dashboards", *words]) == 1
    assert "No Prometheus answers" in capsys.readouterr().err
