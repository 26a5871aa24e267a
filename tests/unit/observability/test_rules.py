"""Every alert fires on its fault and stays quiet without; recorded units have their values.

Prometheus's own `promtool` runs the rules over made-up series.
"""

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.api.problems import STATUS
from app.errors import OverCapacity
from app.observability.labels import BUSY, FAULTS, UNJUDGED
from app.observability.metrics import FIRST_FRAGMENT, METRICS
from app.observability.rules import Alert, RuleSet
from tests.prometheus import tool

RULES = RuleSet()
MINUTES = 30
IDLE, STEADY = f"0x{MINUTES}", f"0+60x{MINUTES}"
"""A series that stays, and one that grows by one a second."""

Series = dict[str, str]


def requests(outcome: str, values: str, model: str = "portrait+lips") -> Series:
    labels = f'route="/v1/talk",model="{model}",outcome="{outcome}"'
    return {f"ray_digital_human_requests_total{{{labels}}}": values}


def frames(values: str, late: str = "") -> Series:
    labels = '{route="/v1/talk"}'
    given = {f"ray_digital_human_frames_total{labels}": values}
    return given | ({f"ray_digital_human_late_frames_total{labels}": late} if late else {})


def first_fragments(within_s: float) -> Series:
    """Return one video a second, all of whose first fragments came within some seconds."""
    name = f"{FIRST_FRAGMENT.exported}_bucket"
    bounds = [f"{bound:g}" for bound in FIRST_FRAGMENT.buckets] + ["+Inf"]
    return {
        f'{name}{{le="{bound}"}}': STEADY if float(bound) >= within_s else IDLE for bound in bounds
    }


def queue(values: str) -> Series:
    return {'ray_digital_human_queue_length{model="lips",replica="a"}': values}


def engines(*models: str, **labels: str) -> Series:
    given = {"variant": "puppet", "backend": "eager", "device": "cpu"} | labels
    text = ",".join(f'{name}="{value}"' for name, value in given.items())
    return {f'ray_digital_human_engine_info{{model="{model}",{text}}}': "1x30" for model in models}


def ingress() -> Series:
    return {'ray_digital_human_sessions{replica="i"}': f"0x{MINUTES}"}


def gpu(used: int) -> Series:
    labels = '{instance="a",gpu="0",replica="r"}'
    return {
        f"ray_digital_human_gpu_memory_bytes{labels}": f"{used}x{MINUTES}",
        f"ray_digital_human_gpu_memory_size_bytes{labels}": f"100x{MINUTES}",
    }


ROLES = ("face", "portrait", "lips")
WAV2LIP = {"variant": "wav2lip", "device": "cuda"}


@dataclass(frozen=True)
class Case:
    """Series under which an alert fires, with the labels of what it gives, and some where not."""

    fault: Series
    quiet: Series
    labels: Sequence[dict[str, str]] = ({},)


CASES = {
    "DigitalHumanFaults": Case(
        requests("ok", STEADY) | requests("internal", f"0+6x{MINUTES}"),
        # Refusals, and faults of probes, are not the service's.
        requests("ok", STEADY)
        | requests("internal", f"0+1x{MINUTES}")
        | requests("no_face", STEADY)
        | requests("not_ready", STEADY, "none"),
    ),
    "DigitalHumanRefusals": Case(
        requests("ok", STEADY) | requests("no_face", f"0+90x{MINUTES}"),
        requests("ok", STEADY)
        | requests("no_face", f"0+50x{MINUTES}")
        | requests("abandoned", STEADY)
        | requests("over_capacity", STEADY),
    ),
    "DigitalHumanBusy": Case(
        requests("ok", STEADY) | requests("over_capacity", f"0+6x{MINUTES}"),
        requests("ok", STEADY) | requests("over_capacity", f"0+1x{MINUTES}"),
    ),
    "DigitalHumanFirstFrameSlow": Case(first_fragments(2.0), first_fragments(1.0)),
    "DigitalHumanLateFrames": Case(
        frames(f"0+1500x{MINUTES}", f"0+60x{MINUTES}"),
        frames(f"0+1500x{MINUTES}", f"0+6x{MINUTES}"),
    ),
    "DigitalHumanQueueGrows": Case(
        # As many as the sessions of full ingresses have under way, soon reached and never passed.
        queue(f"0 12 24 24x{MINUTES}")
        | engines("lips", replica="a")
        | engines("lips", replica="b"),
        # As many calls for three replicas, and a burst that is answered within minutes.
        queue(f"0 12 24 24x{MINUTES}")
        | engines("lips", replica="a")
        | engines("lips", replica="b")
        | engines("lips", replica="c")
        | {'ray_digital_human_queue_length{model="portrait",replica="a"}': "0x5 90 90 90 0x20"}
        | engines("portrait"),
        ({"model": "lips"},),
    ),
    "DigitalHumanNoReadyReplica": Case(
        engines("portrait"),
        engines(*ROLES) | ingress(),
        ({"model": "face"}, {"model": "lips"}, {"model": "ingress"}),
    ),
    "DigitalHumanGpuMemory": Case(gpu(96), gpu(94), ({"instance": "a", "gpu": "0"},)),
    "DigitalHumanFallbackEngine": Case(
        engines("lips", backend="compiled+eager", **WAV2LIP),
        engines("lips", backend="compiled", **WAV2LIP)
        | engines("portrait", variant="puppet", backend="eager", device="cuda")
        | engines("lips", variant="wav2lip", backend="eager", device="cpu"),
        ({"model": "lips", "variant": "wav2lip", "backend": "compiled+eager"},),
    ),
}


def promtool(folder: Path, tests: list[dict[str, Any]]) -> None:
    """Run rule tests, and show what promtool says where one fails."""
    (folder / "rules.yaml").write_text(yaml.safe_dump(RULES.document()))
    document = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests}
    (folder / "test.yaml").write_text(yaml.safe_dump(document))
    command = [str(tool("promtool")), "test", "rules", "test.yaml"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def case(series: Series, **checks: list[dict[str, Any]]) -> dict[str, Any]:
    inputs = [{"series": name, "values": values} for name, values in series.items()]
    return {"interval": "1m", "input_series": inputs, **checks}


def fired(alert: Alert, labels: dict[str, str]) -> dict[str, Any]:
    """Return an alert as promtool expects it, its labels written into its sentences."""
    rule = alert.rule()
    texts = {
        name: re.sub(r"{{ \$labels\.(\w+) }}", lambda found: labels[found[1]], text)
        for name, text in rule["annotations"].items()
    }
    return {"exp_labels": {**labels, **rule["labels"]}, "exp_annotations": texts}


def expected(alert: Alert, labels: Sequence[dict[str, str]], at: str = "20m") -> dict[str, Any]:
    alerts = [fired(alert, some) for some in labels]
    return {"eval_time": at, "alertname": alert.name, "exp_alerts": alerts}


@pytest.mark.parametrize("alert", RULES.alerts(), ids=lambda alert: alert.name)
def test_an_alert_fires_on_its_fault_and_not_before_it_has_lasted(
    alert: Alert, tmp_path: Path
) -> None:
    given = CASES[alert.name]
    promtool(
        tmp_path,
        [
            case(
                given.fault,
                alert_rule_test=[expected(alert, given.labels), expected(alert, (), "2m")],
            )
        ],
    )


@pytest.mark.parametrize("alert", RULES.alerts(), ids=lambda alert: alert.name)
def test_an_alert_stays_quiet_without_its_fault(alert: Alert, tmp_path: Path) -> None:
    given = CASES[alert.name]
    promtool(tmp_path, [case(given.quiet, alert_rule_test=[expected(alert, ())])])


def test_a_service_without_requests_fires_nothing(tmp_path: Path) -> None:
    videos = dict.fromkeys(first_fragments(1.0), IDLE)
    quiet = requests("ok", IDLE) | frames(IDLE) | videos | queue(IDLE)
    checks = [expected(alert, ()) for alert in RULES.alerts()]
    promtool(tmp_path, [case(quiet | engines(*ROLES) | ingress(), alert_rule_test=checks)])


def test_the_benchmarks_four_units_are_recorded(tmp_path: Path) -> None:
    # 50 frames a second, 5 of them late, and 1.5 s of video in two requests a second.
    series = frames(f"0+3000x{MINUTES}", f"0+300x{MINUTES}") | requests("ok", f"0+120x{MINUTES}")
    series['ray_digital_human_video_seconds_total{route="/v1/talk"}'] = f"0+90x{MINUTES}"
    units = {
        "digital_human:frames_per_second": 50,
        "digital_human:live_streams": 1.8,
        "digital_human:clips_per_minute": 9,
        'digital_human:requests_per_second{route="/v1/talk"}': 2,
    }
    checks = [
        {
            "expr": name,
            "eval_time": "20m",
            "exp_samples": [{"labels": name, "value": value}],
        }
        for name, value in units.items()
    ]
    promtool(tmp_path, [case(series, promql_expr_test=checks)])


def test_each_alert_is_tested_once_and_none_is_forgotten() -> None:
    assert list(CASES) == [alert.name for alert in RULES.alerts()]


def test_outcomes_are_sorted_by_whose_fault_they_are() -> None:
    by_status = {kind.code: status for kind, status in STATUS.items()}
    faults = {code for code, status in by_status.items() if status >= 500}
    assert set(FAULTS) == faults | {"internal", "failed"}
    assert set(BUSY) == {OverCapacity.code}
    assert not set(UNJUDGED) & set(by_status)


def test_rules_use_metrics_that_exist() -> None:
    exprs = [rule["expr"] for rule in RULES.rules()]
    recorded = {record.name for record in RULES.records()}
    exported = {metric.exported for metric in METRICS}
    for expr in exprs:
        assert set(re.findall(r"digital_human:[\w:]+", expr)) <= recorded
        families = re.findall(r"ray_\w+?(?=_bucket|_sum|_count|\b)", expr)
        assert set(families) <= exported
