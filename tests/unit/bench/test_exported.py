"""What happened between two exports of a server's metrics, and which processes it has."""

import os
import socket

import psutil
import pytest

from app.bench.exported import Export
from app.bench.local_server import cpu_by_role, cpu_times, processes_of
from app.bench.server_watch import ServerFigures, fill_in, fill_in_gpus

BEFORE = """
digital_human_frames_total{replica="a"} 100
digital_human_frames_total{replica="b"} 50
digital_human_requests_total{outcome="ok",replica="a"} 7
digital_human_requests_total{outcome="no_face",replica="a"} 3
digital_human_batch_calls_bucket{model="portrait",le="0.5"} 0
digital_human_batch_calls_sum{model="portrait"} 10
digital_human_batch_calls_count{model="portrait"} 10
digital_human_queue_wait_seconds_bucket{model="portrait",le="0.1"} 10
digital_human_queue_wait_seconds_bucket{model="portrait",le="0.5"} 10
digital_human_queue_wait_seconds_bucket{model="portrait",le="+Inf"} 10
"""
AFTER = """
digital_human_frames_total{replica="a"} 180
digital_human_frames_total{replica="b"} 20
digital_human_requests_total{outcome="ok",replica="a"} 9
digital_human_requests_total{outcome="no_face",replica="a"} 3
digital_human_batch_calls_sum{model="portrait"} 40
digital_human_batch_calls_count{model="portrait"} 20
digital_human_queue_wait_seconds_bucket{model="portrait",le="0.1"} 15
digital_human_queue_wait_seconds_bucket{model="portrait",le="0.5"} 20
digital_human_queue_wait_seconds_bucket{model="portrait",le="+Inf"} 20
digital_human_running_seconds_total{model="portrait"} 5
digital_human_stage_seconds_sum{stage="encode"} 2.5
"""
ON_GPUS = """
digital_human_gpu_memory_bytes{gpu="0",replica="a"} 1000
digital_human_gpu_memory_bytes{gpu="0",replica="b"} 1100
digital_human_gpu_memory_bytes{gpu="1",replica="c"} 500
digital_human_gpu_utilisation_ratio{gpu="0",replica="a"} 0.5
digital_human_gpu_utilisation_ratio{gpu="1",replica="c"} 0
"""


def test_a_level_is_told_by_what_grew() -> None:
    figures = ServerFigures()
    fill_in(figures, Export(BEFORE), Export(AFTER), seconds=10)
    assert figures.frames == 80 + 20  # replica b began anew
    assert figures.requests == {"ok": 2}
    assert figures.stages_s == {"encode": 2.5}
    portrait = figures.models["portrait"]
    assert portrait.calls_per_run == 3
    assert portrait.busy == 0.5
    assert portrait.wait_p50_s == pytest.approx(0.1)
    assert portrait.wait_p95_s == pytest.approx(0.46)


def test_what_a_server_does_not_export_is_absent_and_not_nought() -> None:
    figures = ServerFigures()
    fill_in(figures, Export(), Export(AFTER), seconds=10)
    assert figures.late_frames is None
    assert figures.models["lips"].calls_per_run is None
    assert figures.models["lips"].wait_p95_s is None
    assert figures.models["portrait"].fill is None
    fill_in_gpus(figures, [Export(AFTER)])
    assert (figures.gpu_busy, figures.gpu_memory_bytes, figures.gpus) == (None, None, 0)


def test_a_gpu_that_two_replicas_report_is_one() -> None:
    figures = ServerFigures()
    fill_in_gpus(figures, [Export(ON_GPUS)])
    assert figures.gpus == 2
    assert figures.gpu_memory_bytes == 1600
    assert figures.gpu_busy == 0.25


def test_a_local_server_is_found_by_its_port_and_a_remote_one_is_not() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        found = {process.pid for process in processes_of(f"http://127.0.0.1:{port}")}
        assert os.getpid() in found
        assert processes_of(f"http://192.0.2.1:{port}") == []
    assert processes_of(f"http://localhost:{port}") == []


def test_cpu_counts_from_the_earlier_moment_and_of_new_processes_in_full() -> None:
    before = {(1, 0.0): ("ingress", 5.0), (2, 0.0): ("lips", 9.0)}
    after = {(1, 0.0): ("ingress", 6.0), (2, 7.0): ("lips", 0.5), (3, 0.0): ("ingress", 1.0)}
    assert cpu_by_role(before, after) == {"ingress": 2.0, "lips": 0.5}
    mine = cpu_times([psutil.Process()])
    assert [spent > 0 for _, spent in mine.values()] == [True]
