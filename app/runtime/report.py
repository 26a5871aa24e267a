"""What was measured as a table, as JSON and as a plot."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from app.errors import NotReady
from app.runtime.bench import CONTENDERS, Contender, Machine, Row
from app.runtime.verdicts import Verdict

LABELS: dict[Contender, str] = {
    "eager": "eager fp16",
    "inductor": "torch.compile",
    "compiled": "compiled (ours)",
    "tensorrt": "TensorRT",
    "torch2trt": "torch2trt",
    "int8": "INT8",
    "fp8": "FP8",
}
COLOURS: dict[Contender, str] = {
    "eager": "0.65",
    "inductor": "tab:blue",
    "compiled": "tab:green",
    "tensorrt": "tab:olive",
    "torch2trt": "tab:brown",
    "int8": "tab:purple",
    "fp8": "tab:pink",
}


def bench_table(rows: Sequence[Row], machine: Machine) -> Table:
    """Return one line per net and batch, ms per frame."""
    where = f"{machine.gpu}, driver {machine.driver}, {machine.versions}, {machine.date}"
    table = Table(title=f"ms per frame; {where}", box=SIMPLE_HEAD)
    rest = ("SNR dB", "required", "goal", "floor", "ready s")
    for name in ("net", "batch", *LABELS.values(), *rest):
        table.add_column(name, justify="left" if name == "net" else "right")
    places = list(dict.fromkeys((row.net, row.batch) for row in rows))
    for net, batch in places:
        here = {row.contender: row for row in rows if (row.net, row.batch) == (net, batch)}
        ours = here.get("compiled")
        some = next(iter(here.values()))
        table.add_row(
            *(net, str(batch)),
            *(_ms(here.get(contender)) for contender in CONTENDERS),
            f"{ours.snr_db:.1f}" if ours and ours.ms else "",
            *(f"{of:g}" if of else "" for of in (some.required_ms, some.goal_ms)),
            f"{some.floor_ms:.3f}" if some.floor_ms else "",
            f"{ours.made_s:.1f}" if ours and ours.ms else "",
        )
    return table


def cpu_table(rows: Sequence[Row], machine: Machine) -> Table:
    """Return one line per net, batch and contender: wall and CPU time per frame."""
    where = f"{machine.gpu}, {machine.versions}, {machine.date}"
    table = Table(title=f"ms per frame; {where}", box=SIMPLE_HEAD)
    for name in ("net", "batch", "engine", "wall", "user CPU", "faster", "SNR dB", "ready s"):
        left = name in ("net", "engine")
        table.add_column(name, justify="left" if left else "right", no_wrap=True)
    eager = {(row.net, row.batch): row.ms for row in rows if row.contender == "eager"}
    for row in rows:
        first = eager.get((row.net, row.batch))
        label = "eager fp32" if row.contender == "eager" else LABELS[row.contender]
        table.add_row(
            *(row.net, str(row.batch), label, _ms(row)),
            "" if row.cpu_ms is None else f"{row.cpu_ms:.1f}",
            f"{first / row.ms:.2f} x" if first and row.ms else "",
            f"{row.snr_db:.1f}" if row.ms else "",
            f"{row.made_s:.1f}" if row.ms else "",
        )
    return table


def verdict_table(name: str, verdicts: Sequence[Verdict]) -> Table:
    """Return one line per batch size and backend of a net."""
    table = Table(title=name, box=SIMPLE_HEAD)
    for column in ("batch", "backend", "ms a run", "SNR dB", "used", "why not"):
        table.add_column(column, justify="right" if column in ("batch", "ms a run") else "left")
    for of in sorted(verdicts, key=lambda verdict: verdict.batch):
        used = "yes" if of.used else ""
        table.add_row(str(of.batch), of.backend, f"{of.ms:.2f}", f"{of.snr_db:.1f}", used, of.why)
    return table


def write_json(path: Path, rows: Sequence[Row], machine: Machine) -> None:
    """Write all rows and where they were measured."""
    document = {"machine": asdict(machine), "rows": [asdict(row) for row in rows]}
    path.write_text(json.dumps(document, indent=1) + "\n")


def write_plot(path: Path, rows: Sequence[Row], machine: Machine) -> None:
    """Write the bars of every contender beside required and goal, one panel per net.

    Raises:
        NotReady: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise NotReady(
            "The plot needs matplotlib, which is not installed.",
            'Run: pip install "digital-human[bench]".',
        ) from None
    places = list(dict.fromkeys((row.net, row.batch) for row in rows))
    figure = Figure(figsize=(1.5 * len(places) + 1, 3.6), layout="constrained")
    axes = figure.subplots(1, len(places), squeeze=False)[0]
    for axis, (net, batch) in zip(axes, places, strict=True):
        here = [row for row in rows if (row.net, row.batch) == (net, batch) and row.ms]
        for i, row in enumerate(here):
            axis.bar(i, row.ms, color=COLOURS[row.contender], label=LABELS[row.contender])
        for value, style in ((here[0].required_ms, "-"), (here[0].goal_ms, ":")) if here else ():
            if value:
                axis.axhline(value, color="tab:red", linestyle=style, linewidth=1)
        axis.set_title(f"{net}, {batch}", fontsize=8)
        axis.set_xticks([])
        axis.tick_params(labelsize=7)
    axes[0].set_ylabel("ms per frame")
    shown = [zip(*axis.get_legend_handles_labels(), strict=True) for axis in axes]
    handles = {label: handle for each in shown for handle, label in each}
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=4, fontsize=8)
    figure.suptitle(f"{machine.gpu}, {machine.date}; red: required, dotted: goal", fontsize=9)
    figure.savefig(path, dpi=120)


def _ms(row: Row | None) -> str:
    if row is None:
        return ""
    if row.error:
        return "not run here" if row.error.startswith("not run here") else "failed"
    text = f"{row.ms:.4f}" if row.ms < 0.1 else f"{row.ms:.3f}"
    return f"{text} ({row.snr_db:.0f} dB)" if row.contender in ("int8", "fp8") else text
