"""What a Prometheus answers to the queries of a dashboard's panels."""

import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from app.errors import BadRequest, NotReady
from app.observability.grafana import Dashboard, Panel

MOST_POINTS = 400


@dataclass(frozen=True, slots=True)
class Span:
    """The time that a dashboard shows.

    Attributes:
        start_s: its beginning, seconds since 1970.
        end_s: its end.
    """

    start_s: float
    end_s: float

    @property
    def step_s(self) -> float:
        """From point to point, as many as a panel is wide."""
        return max(1.0, (self.end_s - self.start_s) / MOST_POINTS)


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a panel.

    Attributes:
        legend: with its labels' values in it.
        values: by seconds since 1970, a step apart; NaN where there is none.
    """

    legend: str
    values: Mapping[float, float]

    @property
    def last(self) -> float:
        """The last value that is a number, infinities too; NaN if none is."""
        numbers = [value for value in self.values.values() if not math.isnan(value)]
        return numbers[-1] if numbers else math.nan


@dataclass(frozen=True, slots=True)
class Answer:
    """What a panel shows.

    Attributes:
        panel: that asked.
        series: of all its queries, in their order.
    """

    panel: Panel
    series: tuple[Series, ...]

    @property
    def odd(self) -> tuple[str, ...]:
        """Legends of the series that were infinite at some time: nothing can be drawn of that."""
        return tuple(one.legend for one in self.series if any(map(math.isinf, one.values.values())))


def last_minutes(minutes: float) -> Span:
    """Return the span that ends now."""
    now_s = time.time()
    return Span(now_s - 60 * minutes, now_s)


def answers(http: httpx.Client, board: Dashboard, span: Span) -> list[Answer]:
    """Return what each panel of a dashboard shows, with the defaults of its variables.

    Args:
        http: whose base URL is Prometheus's.
        board: that asks.
        span: that it shows.

    Raises:
        NotReady: Prometheus does not answer.
        BadRequest: it does not take a query.
    """
    return [
        Answer(
            panel,
            tuple(
                series
                for query in panel.queries
                for series in _series(http, board.filled(query.expr), query.legend, span)
            ),
        )
        for panel in board.panels
    ]


def _series(http: httpx.Client, expr: str, legend: str, span: Span) -> list[Series]:
    # Grafana asks for a range of a single value too, and shows its last one.
    asked: dict[str, str | float] = {"query": expr, "start": span.start_s}
    asked |= {"end": span.end_s, "step": span.step_s}
    try:
        answer = http.get("/api/v1/query_range", params=asked)
        body = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise NotReady(
            f"No Prometheus answers at {http.base_url}: {type(error).__name__}.",
            "README, Monitoring, says how to start one.",
        ) from None
    if body.get("status") != "success":
        raise BadRequest(f"Prometheus does not take {expr}: {body.get('error')}.", "Look at it.")
    found = [
        Series(_named(legend, result["metric"]), _points(result["values"], span))
        for result in body["data"]["result"]
    ]
    return sorted(found, key=lambda series: series.legend)


def _named(legend: str, labels: Mapping[str, str]) -> str:
    return re.sub(r"{{\s*(\w+)\s*}}", lambda hit: labels.get(hit[1], ""), legend)


def _points(values: list[list[Any]], span: Span) -> dict[float, float]:
    """Return the values at every step, NaN where Prometheus had none."""
    found = {round((at - span.start_s) / span.step_s): float(text) for at, text in values}
    steps = int((span.end_s - span.start_s) / span.step_s) + 1
    return {span.start_s + n * span.step_s: found.get(n, math.nan) for n in range(steps)}
