"""`/metrics` shows this product's families, under their own names."""

from prometheus_client import CollectorRegistry, generate_latest

from app.observability.metrics import METRICS, PREFIX
from app.serving.export import NodeExport

EXPORT = """\
# HELP ray_digital_human_requests_total Finished requests.
# TYPE ray_digital_human_requests_total counter
ray_digital_human_requests_total{route="/v1/talk",outcome="ok",replica="a",WorkerId="b"} 3.0
# HELP ray_serve_num_http_requests_total Not ours.
# TYPE ray_serve_num_http_requests_total counter
ray_serve_num_http_requests_total 9.0
# HELP ray_digital_human_latency_seconds Latency.
# TYPE ray_digital_human_latency_seconds histogram
ray_digital_human_latency_seconds_bucket{le="1.0"} 1.0
ray_digital_human_latency_seconds_bucket{le="+Inf"} 2.0
ray_digital_human_latency_seconds_count 2.0
ray_digital_human_latency_seconds_sum 5.0
"""


def test_only_our_families_are_shown_without_rays_prefix() -> None:
    registry = CollectorRegistry()
    registry.register(NodeExport(EXPORT))
    text = generate_latest(registry).decode()
    assert 'digital_human_requests_total{outcome="ok",replica="a",route="/v1/talk"} 3.0' in text
    assert 'digital_human_latency_seconds_bucket{le="+Inf"} 2.0' in text
    assert "ray_" not in text
    assert "serve_num" not in text


def test_names_follow_prometheus() -> None:
    for metric in METRICS:
        assert metric.name.startswith(PREFIX)
        assert (metric.kind == "histogram") == bool(metric.buckets)
        assert list(metric.buckets) == sorted(metric.buckets)
