"""The dashboards are complete, fit their grid, and ask only for what there is."""

import json
import re
from pathlib import Path

import pytest

from app.observability.dashboards import dashboards
from app.observability.grafana import COLUMNS, Dashboard, Panel, Query
from app.observability.manifests import text_of
from app.observability.metrics import METRICS
from app.observability.rules import RuleSet
from tests.unit.observability.test_rules import case, engines, promtool

UNITS = {"s", "short", "percentunit", "bytes", "reqps", "ops", "currencyUSD"}
"""Of Grafana's identifiers, those in use."""

BOARDS = pytest.mark.parametrize("board", dashboards(), ids=lambda board: board.name)


def named(exprs: list[str]) -> set[str]:
    """Return the series that expressions name."""
    return {name for expr in exprs for name in re.findall(r"(?:ray_|digital_human:)[\w:]+", expr)}


@BOARDS
def test_every_query_names_metrics_that_exist(board: Dashboard) -> None:
    recorded = {record.name for record in RuleSet().records()}
    suffixes = {"counter": ("",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}
    exported = {metric.exported + suffix for metric in METRICS for suffix in suffixes[metric.kind]}
    assert named(board.exprs()) <= recorded | exported
    assert not [expr for expr in board.exprs() if "$" in expr]


def test_every_metric_is_shown_or_in_a_rule() -> None:
    rules = [rule["expr"] for rule in RuleSet().rules()]
    used = named([expr for board in dashboards() for expr in board.exprs()] + rules)
    families = {re.sub("_(bucket|count|sum)$", "", name) for name in used}
    assert {metric.exported for metric in METRICS} <= families


def test_every_recorded_series_is_used() -> None:
    shown = named([expr for board in dashboards() for expr in board.exprs()])
    assert {record.name for record in RuleSet().records()} <= shown


@BOARDS
def test_panels_do_not_overlap_nor_leave_the_grid(board: Dashboard) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in board.json()["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= COLUMNS
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        taken |= cells


@BOARDS
def test_a_dashboard_is_what_grafana_imports(board: Dashboard) -> None:
    document = json.loads(text_of("x.json", board.json()))
    assert document["uid"] == f"digital-human-{board.name}"
    assert len(document["uid"]) <= 40
    variables = document["templating"]["list"]
    assert [variable["type"] for variable in variables[:1]] == ["datasource"]
    ids = [panel["id"] for panel in document["panels"]]
    assert len(set(ids)) == len(ids) == len(board.panels)
    for panel in document["panels"]:
        assert panel["type"] in {"timeseries", "stat"}
        unit = panel["fieldConfig"]["defaults"]["unit"]
        assert unit in UNITS or unit.startswith("suffix: ")
        assert panel["datasource"]["uid"] == "${datasource}"
        assert [target["refId"] for target in panel["targets"]] == sorted(
            {target["refId"] for target in panel["targets"]}
        )


def test_a_machine_without_a_gpu_costs_its_own_price(tmp_path: Path) -> None:
    (cost,) = (board for board in dashboards() if board.name == "cost")
    (hour,) = (panel for panel in cost.panels if panel.title == "An hour of all machines")
    prices = {"gpu_price": "4", "cpu_price": "0.5"}
    (expr,) = Dashboard("x", "X", [hour], prices).exprs()
    on_gpus = engines("portrait", "lips", device="cuda", instance="a")
    on_cpus = engines("face", instance="b") | engines("face", instance="c")
    alone = {'ray_digital_human_sessions{instance="d",replica="i"}': "0x30"}
    for series, dollars in ((on_gpus | on_cpus | alone, 4 + 3 * 0.5), (on_cpus, 2 * 0.5)):
        found = [{"labels": "{}", "value": dollars}]
        check = {"expr": expr, "eval_time": "20m", "exp_samples": found}
        promtool(tmp_path, [case(series, promql_expr_test=[check])])


def test_variables_are_in_the_json_and_their_defaults_in_the_queries() -> None:
    board = Dashboard("a", "A", [Panel("P", "s", [Query("$price * x", "x")])], {"price": "2"})
    assert board.exprs() == ["2 * x"]
    price = board.json()["templating"]["list"][1]
    assert (price["name"], price["query"]) == ("price", "2")
