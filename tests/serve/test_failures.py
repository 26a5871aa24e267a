"""An ingress replica that dies under load: `python -m app.bench failures`, small.

A server of its own, since the others' tests have one replica of each. How soon the replica is back
is the benchmark's to say, not a test's; killing a model's replica is in `test_replica_loss.py`.
"""

from pathlib import Path

from app.bench.failures import MIN_PSNR_DB, measure_failures

SESSIONS = 3
KILLS = 3


def test_a_killed_ingress_replica_ends_its_own_sessions_cleanly_and_is_replaced(
    root: Path,
) -> None:
    told: list[str] = []
    config = root / "serve_config.yaml"
    # A kill that hits the replica without a session shows nothing: then there is another.
    for _ in range(KILLS):
        (failure,) = measure_failures(config, ["ingress"], SESSIONS, 4.0, told.append)
        everybody = [*failure.sessions, *failure.probes]
        assert len(failure.sessions) == SESSIONS
        assert not [each for each in everybody if each.end == "unclean"]
        assert failure.worst_db >= MIN_PSNR_DB
        assert failure.back_s is not None
        assert failure.probes[-1].end == "whole"
        if failure.ended("cut"):
            break
    assert failure.ended("cut")
