"""Draws a dashboard as Grafana lays it out: its panels in their grid, with legends and units."""

import math
import re
import textwrap
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from app.bench.dashboard_answers import Answer, Series, Span
from app.bench.dashboard_units import text_of_value
from app.bench.figure import new_figure
from app.observability.grafana import COLUMNS, Dashboard

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMN_IN, ROW_IN = 0.58, 0.33
HEAD_IN, GAP_IN = 0.45, 0.06
TITLE_IN, LINE_IN, TICKS_IN = 0.3, 0.17, 0.25
LEFT_IN = 0.95
LEGEND_LINES = 4
TICKS_S = (10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600)
LETTER_IN = 0.068
"""Width of a letter of a legend, with what its line and margin take spread over it."""


class Page:
    """A figure that is measured in inches from its upper left corner.

    Attributes:
        figure: of matplotlib.
    """

    def __init__(self, width_in: float, height_in: float) -> None:
        self.figure: Figure = new_figure(width_in, height_in)
        self.figure.set_layout_engine("none")  # the grid says where things are
        self.figure.set_facecolor("#eceef0")
        self._width, self._height = width_in, height_in

    def box(self, x: float, y: float, width: float, height: float) -> "Axes":
        """Return axes in a rectangle."""
        bottom = self._height - y - height
        return self.figure.add_axes(
            (
                x / self._width,
                bottom / self._height,
                width / self._width,
                height / self._height,
            )
        )

    def text(self, x: float, y: float, text: str, **look: str | float) -> None:
        """Write a line whose upper left corner lies at a point."""
        place = (x / self._width, 1 - y / self._height)
        drawn = self.figure.text(*place, text)
        drawn.set(va="top", parse_math=False)
        drawn.set(**look)


def draw(board: Dashboard, shown: Sequence[Answer], span: Span, file: Path) -> None:
    """Write a dashboard as a PNG.

    Args:
        board: whose grid it is.
        shown: what its panels show, in their order.
        span: from where to where time runs.
        file: in a folder that may not exist yet.

    Raises:
        NotReady: matplotlib is not installed.
    """
    places = board.places()
    rows = max(y + answer.panel.size[1] for (_, y), answer in zip(places, shown, strict=True))
    page = Page(COLUMNS * COLUMN_IN + GAP_IN, HEAD_IN + rows * ROW_IN + GAP_IN)
    chosen = "".join(f"    {name}: {value}" for name, value in board.variables.items())
    page.text(0.15, 0.12, board.title + chosen, size=13, weight="bold")
    for (column, row), answer in zip(places, shown, strict=True):
        width, height = answer.panel.size
        x, y = column * COLUMN_IN + GAP_IN, HEAD_IN + row * ROW_IN + GAP_IN
        size = width * COLUMN_IN - GAP_IN, height * ROW_IN - GAP_IN
        _panel(page, answer, span, (x, y), size)
    file.parent.mkdir(parents=True, exist_ok=True)
    page.figure.savefig(file, dpi=100)


def _panel(
    page: Page, answer: Answer, span: Span, at: tuple[float, float], size: tuple[float, float]
) -> None:
    (x, y), (width, height) = at, size
    frame = page.box(x, y, width, height)
    frame.set_xticks([])
    frame.set_yticks([])
    frame.spines[:].set_color("#d0d4d8")
    page.text(x + 0.1, y + 0.08, answer.panel.title, size=9.5, weight="bold")
    if answer.odd:
        said = f"infinite at times: {', '.join(dict.fromkeys(answer.odd))}"
        page.text(x + width - 0.1, y + 0.1, said, size=8, color="red", ha="right")
    if not answer.series:
        middle = {"ha": "center", "va": "center", "color": "#70757a", "size": 11}
        page.text(x + width / 2, y + height / 2, "No data", **middle)
    elif answer.panel.kind == "stat":
        _stat(page, answer, at, size)
    else:
        _lines(page, answer, span, at, size)


def _stat(page: Page, answer: Answer, at: tuple[float, float], size: tuple[float, float]) -> None:
    """Write the last value of each series, side by side; one alone needs no name."""
    (x, y), (width, height) = at, size
    many = len(answer.series)
    for number, series in enumerate(answer.series):
        middle = x + width * (number + 0.5) / many
        text = text_of_value(series.last, answer.panel.unit)
        look = {"ha": "center", "va": "center"}
        # A letter is some 0.6 of its height wide, and an inch has 72 points.
        points = min(26.0, 72 * 0.85 * width / many / (0.6 * len(text)))
        page.text(middle, y + 0.6 * height, text, size=points, color="#1f60c4", **look)
        if many > 1:
            page.text(middle, y + 0.9 * height, series.legend, size=8, **look)


def _lines(
    page: Page, answer: Answer, span: Span, at: tuple[float, float], size: tuple[float, float]
) -> None:
    (x, y), (width, height) = at, size
    columns = _columns(answer.series, width)
    lines = min(LEGEND_LINES, math.ceil(len(answer.series) / columns))
    below = TICKS_IN + lines * LINE_IN + 0.08
    axes = page.box(x + LEFT_IN, y + TITLE_IN, width - LEFT_IN - 0.15, height - TITLE_IN - below)
    for series in answer.series:
        _line(axes, series)
    _scales(axes, answer, span)
    place = x + 0.1, y + height - lines * LINE_IN - 0.06
    _legend(page, axes, answer.series, place, (columns, (width - 0.2) / columns))


def _line(axes: "Axes", series: Series) -> None:
    values = [value if math.isfinite(value) else math.nan for value in series.values.values()]
    # A point between gaps has no line: a small mark shows it.
    axes.plot(
        list(series.values), values, marker=".", markersize=1.5, linewidth=1.1, label=series.legend
    )


def _scales(axes: "Axes", answer: Answer, span: Span) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

    unit, length_s = answer.panel.unit, span.end_s - span.start_s
    axes.set_xlim(span.start_s, span.end_s)
    apart_s = next((step_s for step_s in TICKS_S if length_s / step_s <= 7), length_s / 7)
    axes.xaxis.set_major_locator(MultipleLocator(apart_s))
    axes.xaxis.set_major_formatter(FuncFormatter(_clock))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _tick(value, unit)))
    numbers = [
        value
        for series in answer.series
        for value in series.values.values()
        if math.isfinite(value)
    ]
    axes.set_ylim(0, 1.08 * max(numbers, default=0) or 1)
    axes.tick_params(labelsize=8, length=0, colors="#50555a")
    axes.grid(alpha=0.25)
    axes.spines[:].set_visible(False)
    if not numbers:
        axes.text(0.5, 0.5, "No number", transform=axes.transAxes, ha="center", color="#70757a")


def _clock(at_s: float, _: int | None) -> str:
    return f"{datetime.fromtimestamp(at_s, UTC):%H:%M:%S}"


def _tick(value: float, unit: str) -> str:
    return re.sub(r"(\.\d*?)0+(?!\d)", lambda hit: hit[1].rstrip("."), text_of_value(value, unit))


def _columns(series: Sequence[Series], width: float) -> int:
    longest = max(len(one.legend) for one in series)
    return max(1, min(len(series), int((width - 0.2) / (0.4 + LETTER_IN * longest))))


def _legend(
    page: Page,
    axes: "Axes",
    series: Sequence[Series],
    at: tuple[float, float],
    grid: tuple[int, float],
) -> None:
    """Write who is who in columns of a width, as far as there is room; Grafana lets one scroll."""
    (x, y), (columns, width) = at, grid
    room = columns * LEGEND_LINES
    kept = len(series) if len(series) <= room else room - 1
    for number, one in enumerate(series[:kept]):
        left, top = x + width * (number % columns), y + LINE_IN * (number // columns)
        page.text(left, top, "\u2014", size=9, weight="bold", color=axes.lines[number].get_color())
        short = textwrap.shorten(one.legend, int(width / LETTER_IN), placeholder=" ...")
        page.text(left + 0.2, top, short, size=8)
    if kept < len(series):
        left = x + width * (kept % columns)
        more = f"and {len(series) - kept} more"
        page.text(left, y + LINE_IN * (kept // columns), more, size=8, style="italic")
