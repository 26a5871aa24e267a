"""Grafana dashboards as values: what is shown, and the JSON that Grafana imports."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

COLUMNS = 24
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a panel.

    Attributes:
        expr: PromQL; may name the dashboard's variables as `$name`.
        legend: of its series; `{{label}}` stands for a label's value.
    """

    expr: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture of a dashboard.

    Attributes:
        title: what is shown.
        unit: Grafana's identifier, such as "s", "percentunit", "bytes" or "short"; after
            "suffix: " any text.
        queries: at least one.
        about: what one should know to read it.
        kind: "timeseries", or "stat" for the last value in large type.
    """

    title: str
    unit: str
    queries: Sequence[Query]
    about: str = ""
    kind: Literal["timeseries", "stat"] = "timeseries"

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows that it takes."""
        return (12, 8) if self.kind == "timeseries" else (6, 4)

    def json(self, number: int, x: int, y: int) -> dict[str, Any]:
        """Return it as Grafana reads it, at a place in columns and rows."""
        width, height = self.size
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.about,
            "datasource": DATASOURCE,
            "gridPos": {"h": height, "w": width, "x": x, "y": y},
            "fieldConfig": {
                "defaults": {"unit": self.unit, "min": 0} | _colour(self.kind),
                "overrides": [],
            },
            "targets": [
                {
                    "refId": chr(ord("A") + index),
                    "datasource": DATASOURCE,
                    "expr": query.expr,
                    "legendFormat": query.legend,
                }
                for index, query in enumerate(self.queries)
            ],
        }


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A page of panels.

    Attributes:
        name: of its file and in its stable uid.
        title: as Grafana lists it.
        panels: in reading order.
        variables: numbers that the reader may change, with their defaults.
    """

    name: str
    title: str
    panels: Sequence[Panel]
    variables: Mapping[str, str] = field(default_factory=dict)

    def exprs(self) -> list[str]:
        """Return every query with the variables' defaults in it."""
        return [self.filled(query.expr) for panel in self.panels for query in panel.queries]

    def filled(self, expr: str) -> str:
        """Return a query with the variables' defaults in it."""
        for name, default in self.variables.items():
            expr = expr.replace(f"${name}", default)
        return expr

    def places(self) -> list[tuple[int, int]]:
        """Return each panel's column and row: left to right, all of a row of one height."""
        places, x, y, row = [], 0, 0, 0
        for panel in self.panels:
            width, height = panel.size
            if x + width > COLUMNS or (row and height != row):
                x, y, row = 0, y + row, 0
            places.append((x, y))
            x, row = x + width, height
        return places

    def json(self) -> dict[str, Any]:
        """Return it as Grafana imports it."""
        return {
            "uid": f"digital-human-{self.name}",
            "title": self.title,
            "tags": ["digital-human"],
            "schemaVersion": 39,
            "version": 1,
            "editable": True,
            "refresh": "30s",
            "time": {"from": "now-1h", "to": "now"},
            "templating": {
                "list": [_datasource(), *(_textbox(*item) for item in self.variables.items())]
            },
            "panels": [
                panel.json(number, x, y)
                for number, (panel, (x, y)) in enumerate(
                    zip(self.panels, self.places(), strict=True), 1
                )
            ],
        }


def _colour(kind: str) -> dict[str, Any]:
    """Return one colour for large numbers: by default Grafana writes those above 80 in red."""
    return {"color": {"mode": "fixed", "fixedColor": "blue"}} if kind == "stat" else {}


def _datasource() -> dict[str, Any]:
    return {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
    }


def _textbox(name: str, default: str) -> dict[str, Any]:
    value = {"text": default, "value": default}
    return {"name": name, "type": "textbox", "query": default, "current": value, "options": []}
