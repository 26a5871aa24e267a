"""The README says what is true."""

import json
import re
from pathlib import Path

from pydantic.fields import FieldInfo

from app.api.problems import STATUS
from app.observability.__main__ import table
from app.observability.rules import RuleSet
from app.observability.story import Story
from app.settings import AppArgs


def settings() -> list[tuple[str, FieldInfo]]:
    """Return every setting by its dotted name."""
    return [
        (f"{room}.{name}", field)
        for room, nested in AppArgs.model_fields.items()
        for name, field in nested.annotation.model_fields.items()  # type: ignore[union-attr]
    ]


def settings_table() -> str:
    """Return the README's table; `python -m tests.test_readme` prints it."""
    rows = ["| setting | default | meaning |", "| --- | --- | --- |"]
    for name, field in settings():
        meaning = " ".join((field.description or "").split())
        rows.append(f"| `{name}` | `{field.get_default()}` | {meaning} |")
    return "\n".join(rows)


def test_every_setting_is_listed_with_its_default_and_meaning(root: Path) -> None:
    assert f"<!-- settings -->\n{settings_table()}\n" in (root / "README.md").read_text()


def test_the_line_of_the_log_has_the_fields_that_it_has(root: Path) -> None:
    text = (root / "README.md").read_text()
    shown = re.search(r"```json\n(\{.*\})\n```", text)
    assert shown
    ours = {"request_id", "session_id", "route_path", "outcome", "seconds", "message"}
    assert json.loads(shown[1]).keys() == ours | Story().fields().keys()


def test_every_metric_is_listed(root: Path) -> None:
    # Where they differ: python -m app.observability table
    assert f"<!-- metrics -->\n{table()}\n" in (root / "README.md").read_text()


def test_every_alert_is_listed_with_its_limit(root: Path) -> None:
    text = (root / "README.md").read_text()
    limits = RuleSet().limits
    said = {
        "DigitalHumanFaults": f"{limits.fault_ratio:.0%}",
        "DigitalHumanRefusals": "half",
        "DigitalHumanBusy": f"{limits.busy_ratio:.0%}",
        "DigitalHumanFirstFrameSlow": f"{limits.first_fragment_s} s",
        "DigitalHumanLateFrames": f"{limits.late_ratio:.0%}",
        "DigitalHumanQueueGrows": f"{limits.queue_calls} calls",
        "DigitalHumanNoReadyReplica": "",
        "DigitalHumanGpuMemory": f"{limits.gpu_memory_ratio:.0%}",
        "DigitalHumanFallbackEngine": "",
    }
    assert list(said) == [alert.name for alert in RuleSet().alerts()]
    for name, limit in said.items():
        (row,) = re.findall(rf"^\| `{name}` \| (.+) \|$", text, re.M)
        assert limit.replace("%", " %") in row


def test_every_problem_code_is_listed(root: Path) -> None:
    text = (root / "README.md").read_text()
    public = {kind.code for kind in STATUS}
    assert all(f"`{code}`" in text for code in public)


def test_the_files_it_links_exist(root: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", (root / "README.md").read_text())
    assert links
    assert [link for link in links if not (root / link).exists()] == []


def test_the_commands_are_those_that_ci_extracts(root: Path) -> None:
    text = (root / "README.md").read_text()
    for marker in ("demo", "tests"):
        block = re.search(rf"<!-- {marker} -->\n```bash\n(.*?)```", text, re.S)
        assert block
        assert "python3 -m venv .venv" in block[1]


if __name__ == "__main__":
    print(settings_table())
