"""A pod's last minutes: it waits for what runs, and not for ever."""

import socket

import httpx
import pytest

from app.serving import drain
from app.serving.drain import running, wait_until_idle

EXPORT = """\
# HELP ray_serve_replica_processing_queries x
# TYPE ray_serve_replica_processing_queries gauge
ray_serve_replica_processing_queries{deployment="Ingress",replica="r"} 3.0
ray_serve_replica_processing_queries{deployment="LipSync",replica="s"} 0.0
# TYPE ray_serve_num_http_requests_total counter
ray_serve_num_http_requests_total{route="/v1/talk"} 90.0
"""
IDLE = EXPORT.replace("3.0", "0.0")


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_what_runs_is_what_replicas_have_under_way() -> None:
    assert running(EXPORT) == 3.0
    assert running(IDLE) == 0.0
    assert running("") == 0.0


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_client_of_the_proxy_counts_as_long_as_it_is_connected(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone() -> str:
        raise httpx.ConnectError("no")

    # Ray's metrics say nothing of it: the replica is on another node, or Ray has gone.
    monkeypatch.setattr(drain, "exported", gone)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as server:
        server.bind((host, 0))
        server.listen()
        port = server.getsockname()[1]
        monkeypatch.setattr(drain, "SERVE_PORT", port)
        assert drain.under_way() == 0
        with socket.create_connection((host, port)) as _, server.accept()[0] as ours:
            assert drain.under_way() == 1
            monkeypatch.setattr(drain, "exported", lambda: EXPORT)
            assert drain.under_way() == 4.0
            ours.shutdown(socket.SHUT_RDWR)
        assert drain.under_way() == 3.0


def test_it_waits_until_nothing_has_run_for_a_while() -> None:
    clock = Clock()
    said = iter([5.0, 0.0, 5.0, *[0.0] * 10])
    assert wait_until_idle(600, lambda: next(said), clock.sleep, clock)
    assert clock.now == 5 * drain.POLL_S
    assert len(list(said)) == 7


def test_it_gives_up_in_time() -> None:
    clock = Clock()
    assert not wait_until_idle(60, lambda: 1.0, clock.sleep, clock)
    assert 60 <= clock.now <= 60 + drain.POLL_S


def test_a_ray_that_does_not_answer_does_not_stop_the_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(drain, "DRAIN_S", 0.05)
    monkeypatch.setattr(drain, "drain_command", lambda deadline_s: ["/bin/sleep", "5"])
    assert not drain.start_draining(10)
    monkeypatch.setattr(drain, "drain_command", lambda deadline_s: ["/bin/true"])
    assert drain.start_draining(10)


def test_ray_knows_the_command() -> None:
    from click.testing import CliRunner
    from ray.scripts.scripts import drain_node

    options = {option for parameter in drain_node.params for option in parameter.opts}
    words = drain.drain_command(690.0)
    assert words[1] == "drain-node"
    assert {word for word in words if word.startswith("--")} <= options
    wrong = CliRunner().invoke(drain_node, ["--reason", "BECAUSE"])
    assert words[words.index("--reason") + 1] in wrong.output
