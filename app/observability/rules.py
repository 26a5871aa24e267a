"""Recording rules and alerts, as data: the same for production and for tests with short windows."""

from dataclasses import dataclass, field
from typing import Any, Literal

from app.observability import metrics
from app.observability.labels import BUSY, FAULTS, PUBLISHED, ROLES, UNJUDGED

CLIP_S = 10
STREAM_FPS = 25
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
WORK = 'model!="none"'
"""Requests that models answer: probes and pages would thin out the share of those that fail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """From where on something is wrong.

    Attributes:
        window: over which rates and quantiles are taken, as Prometheus writes durations.
        hold: how long a limit must be passed until the alert fires.
        fault_ratio: share of requests that failed by this server's fault.
        refused_ratio: share of requests that were refused for what is in them.
        busy_ratio: share of requests that found no place.
        first_fragment_s: budget of the 95th percentile of the time to first frame.
        late_ratio: share of frames that came too late to be shown in time.
        queue_calls: calls that wait for each replica of a model: two full runs.
        gpu_memory_ratio: share of a GPU's memory.
    """

    window: str = "5m"
    hold: str = "5m"
    fault_ratio: float = 0.05
    refused_ratio: float = 0.5
    busy_ratio: float = 0.05
    first_fragment_s: float = 1.5
    late_ratio: float = 0.01
    queue_calls: int = 8
    gpu_memory_ratio: float = 0.95


@dataclass(frozen=True, slots=True)
class Record:
    """A recording rule.

    Attributes:
        name: of the series it makes.
        expr: PromQL.
    """

    name: str
    expr: str

    def rule(self) -> dict[str, Any]:
        """Return it as Prometheus reads it."""
        return {"record": self.name, "expr": self.expr}


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert.

    Attributes:
        name: in CamelCase.
        expr: PromQL; each series of its result is an alert.
        hold: how long it must last.
        severity: "critical" wants somebody now, "warning" today; "info" is to be known.
        summary: one sentence.
        action: what to look at first.
    """

    name: str
    expr: str
    hold: str
    severity: Literal["critical", "warning", "info"]
    summary: str
    action: str

    def rule(self) -> dict[str, Any]:
        """Return it as Prometheus reads it."""
        return {
            "alert": self.name,
            "expr": self.expr,
            "for": self.hold,
            "labels": {"severity": self.severity},
            "annotations": {"summary": self.summary, "description": self.action},
        }


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All rules under one set of limits.

    Attributes:
        limits: where alerts begin.
    """

    limits: Limits = field(default_factory=Limits)

    def rules(self) -> list[dict[str, Any]]:
        """Return all rules as Prometheus reads them; records first, because alerts use them."""
        records = [record.rule() for record in self.records()]
        return records + [alert.rule() for alert in self.alerts()]

    def document(self) -> dict[str, Any]:
        """Return the file that Prometheus loads."""
        return {"groups": [{"name": "digital-human", "rules": self.rules()}]}

    def records(self) -> list[Record]:
        """Return the benchmark's four units, quantiles and shares."""
        frames, late = self._rate(metrics.FRAMES), self._rate(metrics.LATE_FRAMES)
        ok = self._rate(metrics.REQUESTS, f'outcome="ok",{WORK}', by="route")
        clips = 60 / CLIP_S
        return [
            Record("digital_human:frames_per_second", frames),
            Record("digital_human:live_streams", f"({frames} - {_or_0(late)}) / {STREAM_FPS}"),
            Record("digital_human:clips_per_minute", f"{clips:g} * {self._rate(metrics.VIDEO)}"),
            Record("digital_human:requests_per_second", ok),
            *self._quantiles(metrics.FIRST_FRAGMENT, "first_fragment_seconds"),
            *self._quantiles(metrics.LATENCY, "latency_seconds", f'outcome="ok",{WORK}', "route"),
            *self._quantiles(metrics.REAL_TIME, "real_time_ratio"),
            Record("digital_human:late_frames:ratio", f"{_or_0(late)} / {frames}"),
            Record("digital_human:faults:ratio", self._share(_any_of(FAULTS))),
            Record("digital_human:busy:ratio", self._share(_any_of(BUSY))),
            Record(
                "digital_human:refused:ratio",
                self._share(_any_of((*FAULTS, *BUSY, *UNJUDGED), "!~")),
            ),
            Record(
                "digital_human:queue_length",
                f"sum by (model) ({metrics.QUEUE_LENGTH.exported})",
            ),
            Record("digital_human:replicas", f"sum by (model) ({metrics.ENGINE.exported})"),
            *self._machines(),
        ]

    def _machines(self) -> list[Record]:
        """Return how many machines, or pods, have models on a GPU, and how many only the rest."""
        engines = metrics.ENGINE.exported
        every = f"count(count by (instance) ({engines} or {metrics.SESSIONS.exported}))"
        on_gpus = f'count(count by (instance) ({engines}{{device="cuda"}}))'
        return [
            Record("digital_human:gpu_machines", _or_0(on_gpus)),
            Record("digital_human:cpu_machines", f"{every} - {_or_0(on_gpus)}"),
        ]

    def alerts(self) -> list[Alert]:
        """Return every alert."""
        return [*self._of_requests(), *self._of_speed(), *self._of_machines()]

    def _of_requests(self) -> list[Alert]:
        limits = self.limits
        return [
            self._alert(
                "DigitalHumanFaults",
                f"digital_human:faults:ratio > {limits.fault_ratio:g}",
                "critical",
                "Requests fail by this server's fault.",
                "Requests by outcome in the service dashboard name the code; the ingress's log "
                "has a line for each.",
            ),
            self._alert(
                "DigitalHumanRefusals",
                f"digital_human:refused:ratio > {limits.refused_ratio:g}",
                "warning",
                "Most requests are refused for what is in them.",
                "Look for the outcome, and for a client that was changed.",
            ),
            self._alert(
                "DigitalHumanBusy",
                f"digital_human:busy:ratio > {limits.busy_ratio:g}",
                "warning",
                "Requests are turned away because all places are taken.",
                "Add replicas of the ingress, or GPUs if queues are long.",
            ),
        ]

    def _of_speed(self) -> list[Alert]:
        limits = self.limits
        return [
            self._alert(
                "DigitalHumanFirstFrameSlow",
                f"digital_human:first_fragment_seconds:p95 > {limits.first_fragment_s:g}",
                "warning",
                f"One in twenty videos takes more than {limits.first_fragment_s:g} s to begin.",
                "Compare the stages in the service dashboard, then queue waits.",
            ),
            self._alert(
                "DigitalHumanLateFrames",
                f"digital_human:late_frames:ratio > {limits.late_ratio:g}",
                "warning",
                "Videos stall: frames are made more slowly than they are shown.",
                "Rendering falls behind: fewer sessions a replica, or more GPUs.",
            ),
            self._alert(
                "DigitalHumanQueueGrows",
                # Sessions bound what can wait, so that a queue grows for seconds and then stays
                # long: a rise that lasts minutes would never be seen.
                f"digital_human:queue_length / digital_human:replicas > {limits.queue_calls}",
                "warning",
                "Calls of the model {{ $labels.model }} come faster than it answers.",
                "Add replicas of that model; look at its batch fill and run times.",
            ),
        ]

    def _of_machines(self) -> list[Alert]:
        engine, memory = metrics.ENGINE.exported, metrics.GPU_MEMORY.exported
        absent = [f'absent({engine}{{model="{role}"}})' for role in ROLES]
        no_ingress = f"absent({metrics.SESSIONS.exported})"
        absent.append(f'label_replace({no_ingress}, "model", "ingress", "", "")')
        published = "|".join(PUBLISHED)
        return [
            self._alert(
                "DigitalHumanNoReadyReplica",
                " or ".join(absent),
                "critical",
                "No replica of {{ $labels.model }} can serve, or none is scraped.",
                "`GET /readyz` says what is missing; look for weights, then at the pods.",
            ),
            self._alert(
                "DigitalHumanGpuMemory",
                f"max by (instance, gpu) ({memory} / {metrics.GPU_MEMORY_SIZE.exported}) "
                f"> {self.limits.gpu_memory_ratio:g}",
                "warning",
                "GPU {{ $labels.gpu }} of {{ $labels.instance }} is nearly full.",
                "One process that asks for too much stops all on that GPU: lower "
                "`runtime.max_batch_size` or the replicas on a GPU.",
            ),
            self._alert(
                "DigitalHumanFallbackEngine",
                f'max by (model, variant, backend) ({engine}{{device="cuda",backend=~".*eager.*",'
                f'variant=~"{published}"}})',
                "info",
                "{{ $labels.variant }} runs by {{ $labels.backend }}: no faster engine held for "
                "some batches.",
                "`python -m app.runtime list` says what was measured and why it was not used.",
            ),
        ]

    def _alert(
        self,
        name: str,
        expr: str,
        severity: Literal["critical", "warning", "info"],
        summary: str,
        action: str,
    ) -> Alert:
        return Alert(name, expr, self.limits.hold, severity, summary, action)

    def _rate(self, metric: metrics.Metric, matchers: str = "", by: str = "") -> str:
        selector = f"{metric.exported}{{{matchers}}}" if matchers else metric.exported
        grouped = f"sum by ({by}) " if by else "sum"
        return f"{grouped}(rate({selector}[{self.limits.window}]))"

    def _share(self, outcomes: str) -> str:
        some = self._rate(metrics.REQUESTS, f"{outcomes},{WORK}")
        return f"{_or_0(some)} / {self._rate(metrics.REQUESTS, WORK)}"

    def _quantiles(
        self, metric: metrics.Metric, name: str, matchers: str = "", by: str = ""
    ) -> list[Record]:
        labels = f"le, {by}" if by else "le"
        selector = f"{metric.exported}_bucket" + (f"{{{matchers}}}" if matchers else "")
        rates = f"sum by ({labels}) (rate({selector}[{self.limits.window}]))"
        return [
            Record(f"digital_human:{name}:{short}", f"histogram_quantile({quantile:g}, {rates})")
            for short, quantile in QUANTILES.items()
        ]


def _any_of(outcomes: tuple[str, ...], operator: str = "=~") -> str:
    return f'outcome{operator}"{"|".join(outcomes)}"'


def _or_0(expr: str) -> str:
    """Return an expression that is 0 where nothing was counted yet."""
    return f"({expr} or vector(0))"
