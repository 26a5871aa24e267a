"""Load on the real server, and the data path: a short run of each."""

import json
from pathlib import Path

from app.bench.__main__ import main
from app.bench.path import PathPlan, measure_path
from app.client.server import LocalServer
from tests.serve.conftest import EXPORT_SOON

EXPORT_S = 2.0
"""These tests' servers export their metrics every second."""


def test_a_running_server_is_measured_from_outside_and_by_what_it_says(
    server: LocalServer, tmp_path: Path
) -> None:
    words = ["load", "--url", server.url, "--unit", "frames", "--concurrency", "2"]
    words += ["--seconds", "3", "--size", "256", "--price", "1", "--export", f"{EXPORT_S}"]
    files = ["--json", str(tmp_path / "run.json"), "--plot", str(tmp_path / "run.png")]
    assert main([*words, *files]) == 0
    (level,) = json.loads((tmp_path / "run.json").read_text())["levels"]
    assert level["failed"] == level["refused"] == 0
    assert level["frames"] > 0
    seen = level["server"]
    # What the end cut off was encoded, too, and did not arrive.
    assert level["frames"] <= seen["frames"] <= level["frames"] + 2 * 250
    assert seen["cpu_s"] > 0
    assert {"ingress", "portrait", "lips"} <= set(seen["cpu_s_by_role"])
    assert 1 <= seen["models"]["portrait"]["calls_per_run"] <= 2
    assert seen["models"]["lips"]["wait_p95_s"] is not None
    assert seen["stages_s"]["encode"] > 0
    assert level["cost"]["per_video_minute"] > 0


def test_live_streams_and_chunks_are_served_in_full(server: LocalServer, tmp_path: Path) -> None:
    words = ["load", "--url", server.url, "--unit", "live", "chunks", "--concurrency", "1"]
    words += ["--rates", "1", "--arrivals", "fixed", "--seconds", "3", "--size", "256"]
    words += ["--export", f"{EXPORT_S}", "--json", str(tmp_path / "run.json")]
    assert main([*words, "--plot", str(tmp_path / "run.png")]) == 0
    levels = json.loads((tmp_path / "run.json").read_text())["levels"]
    assert [(level["level"]["unit"], level["level"]["frames"]) for level in levels] == [
        *(("live", 0), ("chunks", 1), ("chunks", 5))
    ]
    for level in levels:
        assert level["ok"] == level["sent"] > 0
        # No photo went twice: the server knew its portrait by its id.
        assert level["resent"] == 0
    live, one, five = levels
    assert live["frames"] == 3 * 25
    assert (one["frames"], five["frames"]) == (one["sent"], 5 * five["sent"])
    assert set(five["server"]["requests"]) == {"ok"}
    assert live["server"]["models"]["lips"]["live_wait_p95_s"] is not None


def test_the_whole_graph_runs_over_models_that_do_nothing(root: Path) -> None:
    plan = PathPlan(root / "serve_config.yaml", [1], seconds=3, size=256, export_s=EXPORT_S)
    told: list[str] = []
    run = measure_path(plan, lambda what, done: told.append(what), EXPORT_SOON)
    assert {model["id"] for model in run.models} == {"mediapipe", "idle"}
    assert run.unanswered == {}
    (figures,) = run.levels
    assert figures.ok > 0
    assert figures.failed == figures.refused == 0
    assert figures.frames_per_s > 0
    roles = figures.server.cpu_s_by_role
    assert {"ingress", "portrait", "lips", "face"} <= set(roles)
    calls = figures.server.models
    assert calls["portrait"].calls_per_run is not None
    assert calls["lips"].calls_per_run is not None
    assert told[-1] == "done"
