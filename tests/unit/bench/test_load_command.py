"""The whole command against a server that answers as ours does: tables, JSON, plot, comparison."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from app.bench import load_command
from app.bench.__main__ import main, parser
from tests.unit.bench.fake_server import FRAMES, Fake, fake_server


@pytest.fixture(scope="module")
def serving() -> Iterator[Fake]:
    with fake_server() as fake:
        yield fake


@pytest.fixture
def fake(serving: Fake, monkeypatch: pytest.MonkeyPatch) -> Fake:
    serving.mode = "well"
    monkeypatch.setattr("app.bench.server_watch.SETTLE_S", 0.0)
    monkeypatch.setattr("app.bench.load_run.RAMP_S", 0.01)
    monkeypatch.setattr(load_command, "Console", lambda: Console(width=80))
    return serving


def words(fake: Fake, folder: Path, *more: str) -> list[str]:
    files = ["--json", str(folder / "run.json"), "--plot", str(folder / "run.png")]
    quick = ["--seconds", "0.3", "--export", "0", "--deadline", "20"]
    return ["load", "--url", fake.url, *files, *quick, *more]


def test_all_units_are_measured_shown_written_and_drawn(
    fake: Fake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["--rates", "20", "--concurrency", "2", "--price", "3.6"]
    assert main(words(fake, tmp_path, *more)) == 0
    written = json.loads((tmp_path / "run.json").read_text())
    levels = {level["series"]: level for level in written["levels"]}
    callers = ["callers of 1", "callers of 5"]
    assert list(levels) == ["frames", "live", "clips", "chunks of 1", "chunks of 5", *callers]
    for level in levels.values():
        assert level["sent"] > 0
        assert level["failed"] == level["refused"] == level["late_frames"] == 0
        assert level["cost"]["per_hour"] == 3.6
        assert level["latency"]["p50_s"] <= level["latency"]["p95_s"] <= level["latency"]["p99_s"]
    assert levels["live"]["sent"] == levels["live"]["headline"] == 2
    assert levels["live"]["frames"] == 2 * FRAMES
    assert levels["chunks of 5"]["frames"] == 5 * levels["chunks of 5"]["ok"]
    # What the server says itself, the frames of its own count, is what arrived here.
    assert levels["clips"]["server"]["frames"] == levels["clips"]["frames"]
    assert written["models"] == [{"id": "puppet", "role": "portrait"}]
    assert (tmp_path / "run.png").read_bytes().startswith(b"\x89PNG")
    shown = capsys.readouterr().out
    assert "not measured by us" in " ".join(shown.split())
    assert "ours, chunks of 1" in shown
    assert "…" not in shown, "80 columns do not hold a table"


def test_equal_seeds_send_as_much_and_runs_are_compared(
    fake: Fake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["--unit", "chunks", "--chunk-frames", "1", "--rates", "30"]
    assert main(words(fake, tmp_path, *more)) == 0
    old = tmp_path / "old.json"
    (tmp_path / "run.json").rename(old)
    assert main(words(fake, tmp_path, *more, "--compare", str(old))) == 0
    first, second = (
        json.loads(file.read_text())["levels"][0] for file in (old, tmp_path / "run.json")
    )
    assert first["sent"] == second["sent"]
    assert "Against the earlier run" in capsys.readouterr().out


def test_what_the_server_does_not_answer_is_named_and_the_rest_is_measured(
    fake: Fake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.mode = "refuse"
    more = ["--unit", "clips", "chunks", "--chunk-frames", "1", "--rates", "20"]
    assert main(words(fake, tmp_path, *more)) == 1
    assert "does not answer clips: over_capacity" in capsys.readouterr().out
    written = json.loads((tmp_path / "run.json").read_text())
    assert [level["series"] for level in written["levels"]] == ["chunks of 1"]


def test_the_search_finds_what_holds_and_keeps_every_level(fake: Fake, tmp_path: Path) -> None:
    more = ["--unit", "live", "--concurrency", "2", "--search", "--most-streams", "3"]
    assert main(words(fake, tmp_path, *more)) == 0
    written = json.loads((tmp_path / "run.json").read_text())
    assert written["capacity"] == {"live": 3}
    assert sorted(level["level"]["load"] for level in written["levels"]) == [1, 2, 3]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--compare", "{here}"], "no load run"),
        (["--unit", "live", "--concurrency", "1.5"], "whole"),
        (["--portrait", "nobody.jpg"], "nobody.jpg"),
        (["--unit", "chunks", "--rates", "1e9"], "20000"),
    ],
    ids=["compared with no run", "half a session", "no such photo", "no end of requests"],
)
def test_a_mistake_is_explained(
    fake: Fake, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], told: str
) -> None:
    (tmp_path / "other.json").write_text("{}")
    more = [word.replace("{here}", str(tmp_path / "other.json")) for word in more]
    assert main(words(fake, tmp_path, *more)) == 1
    assert told in capsys.readouterr().err


def test_a_server_that_is_not_there_is_named(
    fake: Fake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words(fake, tmp_path), "--url", "http://127.0.0.1:9"]) == 1
    assert "http://127.0.0.1:9" in capsys.readouterr().err


def test_the_commands_in_the_readme_are_understood(root: Path) -> None:
    block = re.search(r"<!-- load -->\n```bash\n(.*?)```", (root / "README.md").read_text(), re.S)
    assert block
    commands = [shlex.split(line) for line in block[1].splitlines()]
    assert {words[:3][-1] for words in commands} == {"app.bench"}
    plans = []
    for words in commands:
        args = parser().parse_args(words[3:])
        if args.command == "load":
            plans.append(load_command.plan_of(args))
    assert [plan.levels[0].unit for plan in plans] == ["clips", "live", "live", "live"]
    assert plans[-1].search == ("live", "chunks")
