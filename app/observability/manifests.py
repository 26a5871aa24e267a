"""The Kubernetes manifests of monitoring, and what Prometheus does with what it scrapes."""

import json
from typing import Any

import yaml

from app.observability.dashboards import dashboards
from app.observability.rules import RuleSet

NAME = "digital-human"
LABELS = {"app.kubernetes.io/part-of": NAME, "app.kubernetes.io/component": "monitoring"}
HEAD_PORTS = ("metrics", "as-metrics", "dash-metrics")
"""KubeRay's names for the ports of the node's export, the autoscaler's and the dashboard's."""

RELABELLING: tuple[dict[str, Any], ...] = (
    # More than half of a node's export, and nothing here looks at them. RE2 has no "not": this is
    # every name that does not begin with ray_di.
    {
        "source_labels": ["__name__"],
        "regex": "([^r]|ray_[^d]|ray_d[^i]).*_bucket",
        "action": "drop",
    },
    # The same on every line.
    {"regex": "otel_scope_.*", "action": "labeldrop"},
)
"""Applied to every sample before it is stored, in the words of Prometheus's own configuration."""

Document = dict[str, Any]


def manifests() -> dict[str, Document]:
    """Return the component's files by name; dashboards are JSON, and all others YAML."""
    documents = {
        "kustomization.yaml": _kustomization(),
        "head-podmonitor.yaml": _pod_monitor("head", HEAD_PORTS),
        "workers-podmonitor.yaml": _pod_monitor("worker", ("metrics",)),
        "digital-human-prometheusrule.yaml": _rule(),
    }
    return documents | {f"dashboards/{board.name}.json": board.json() for board in dashboards()}


def scrape(seconds: int, discovery: str) -> Document:
    """Return the Prometheus configuration for a Ray on this machine.

    Args:
        seconds: from scrape to scrape, and from one look at the rules to the next.
        discovery: path of Ray's `prom_metrics_service_discovery.json`.
    """
    return {
        "global": {"scrape_interval": f"{seconds}s", "evaluation_interval": f"{seconds}s"},
        "rule_files": ["rules.yaml"],
        "scrape_configs": [
            {
                "job_name": NAME,
                "file_sd_configs": [{"files": [discovery]}],
                "metric_relabel_configs": list(RELABELLING),
            }
        ],
    }


def text_of(name: str, document: Document) -> str:
    """Return a file's text."""
    if name.endswith(".json"):
        return json.dumps(document, indent=2) + "\n"
    head = "# Written by `python -m app.observability`.\n"
    return head + yaml.dump(document, Dumper=_Plain, sort_keys=False, width=110)


class _Plain(yaml.SafeDumper):
    """Writes repeated values out, as people do, instead of referring to the first."""

    def ignore_aliases(self, data: object) -> bool:
        """Return True for everything."""
        return True


def _kustomization() -> Document:
    names = [board.name for board in dashboards()]
    return {
        "apiVersion": "kustomize.config.k8s.io/v1alpha1",
        "kind": "Component",
        "resources": [
            "head-podmonitor.yaml",
            "workers-podmonitor.yaml",
            "digital-human-prometheusrule.yaml",
        ],
        "configMapGenerator": [
            {
                "name": f"{NAME}-dashboard-{name}",
                "namespace": NAME,
                "files": [f"dashboards/{name}.json"],
                # Grafana's side car looks for the label, and would take a renamed one for another.
                "options": {
                    "labels": {**LABELS, "grafana_dashboard": "1"},
                    "disableNameSuffixHash": True,
                },
            }
            for name in names
        ],
    }


def _pod_monitor(node_type: str, ports: tuple[str, ...]) -> Document:
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": {"name": f"{NAME}-{node_type}", "namespace": NAME, "labels": LABELS},
        "spec": {
            "selector": {"matchLabels": {"ray.io/node-type": node_type}},
            # Two clusters stand side by side while one is replaced.
            "podTargetLabels": ["ray.io/cluster", "ray.io/group"],
            "podMetricsEndpoints": [
                {"port": port, "metricRelabelings": [_camel(rule) for rule in RELABELLING]}
                for port in ports
            ],
        },
    }


def _rule() -> Document:
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": NAME, "namespace": NAME, "labels": LABELS},
        "spec": RuleSet().document(),
    }


def _camel(rule: Document) -> Document:
    """Return a relabelling in the words of the Prometheus operator."""
    return {name.replace("source_labels", "sourceLabels"): rule[name] for name in rule}
