"""`python -m app.observability`: writes what Prometheus, Grafana and Kubernetes are told.

write       the component kuberay/components/monitoring
prometheus  rules.yaml and prometheus.yaml for a Ray on this machine, into a folder
table       the README's table of metrics
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from app.observability.manifests import manifests, scrape, text_of
from app.observability.metrics import METRICS
from app.observability.rules import RuleSet

COMPONENT = Path("kuberay/components/monitoring")
DISCOVERY = "/tmp/ray/prom_metrics_service_discovery.json"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(
        "python -m app.observability",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    write = commands.add_parser("write")
    write.add_argument("--folder", type=Path, default=COMPONENT)
    local = commands.add_parser("prometheus")
    local.add_argument("folder", type=Path)
    local.add_argument("--discovery", default=DISCOVERY, help="Ray's list of its exports")
    commands.add_parser("table")
    args = parser.parse_args(argv)
    match args.command:
        case "write":
            _write(args.folder, {name: text_of(name, file) for name, file in manifests().items()})
        case "prometheus":
            files = {
                "rules.yaml": RuleSet().document(),
                "prometheus.yaml": scrape(15, args.discovery),
            }
            _write(args.folder, {name: text_of(name, file) for name, file in files.items()})
        case "table":
            print(table())
    return 0


def table() -> str:
    """Return every metric as a row of Markdown."""
    rows = ["| metric | kind | labels | meaning |", "| --- | --- | --- | --- |"]
    for metric in METRICS:
        name = metric.exported.removeprefix("ray_")
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        rows.append(f"| `{name}` | {metric.kind} | {labels} | {metric.help} |")
    return "\n".join(rows)


def _write(folder: Path, texts: dict[str, str]) -> None:
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    sys.exit(main())
