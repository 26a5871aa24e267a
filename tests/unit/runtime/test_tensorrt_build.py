"""Graphs through NVIDIA's own parser and compiler, and what other editions are asked."""

from pathlib import Path
from types import ModuleType

import onnx
import pytest

from app.runtime import buckets
from app.runtime.qdq_graph import quantised_graph
from app.runtime.tensorrt_build import (
    BUCKETS,
    BuildFailed,
    BuildSettings,
    build,
    library_of,
    version_of,
)
from tests.unit.runtime.conftest import EXPORTED, GraphFile, largest_scales, seeded_net
from tests.unit.runtime.fake_trt import fake, layer

CAPABILITIES = ((8, 6), (8, 9), (12, 0))
ONE_PROFILE = BuildSettings(profiles="one")


@pytest.mark.parametrize("name", EXPORTED)
def test_rtx_builds_float16(name: str, graph_file: GraphFile, rtx: ModuleType) -> None:
    graph = graph_file(name, True).read_bytes()
    assert build(rtx, graph, ONE_PROFILE, capabilities=CAPABILITIES)


@pytest.mark.parametrize("name", ["animator", "appearance", "motion", "wav2lip"])
def test_rtx_builds_int8(name: str, graph_file: GraphFile, rtx: ModuleType) -> None:
    scales = largest_scales(name)
    model = quantised_graph(onnx.load(graph_file(name, True)), seeded_net(name), scales)
    share = model.ByteSize() / graph_file(name, False).stat().st_size
    print(f"{name}: {share:.1%} of float32")
    assert share <= 0.27
    assert build(rtx, model.SerializeToString(), ONE_PROFILE, capabilities=CAPABILITIES)


def test_rtx_builds_a_profile_for_every_bucket(graph_file: GraphFile, rtx: ModuleType) -> None:
    graph = graph_file("stitching", True).read_bytes()
    plan = build(rtx, graph, capabilities=((8, 9),))
    one = build(rtx, graph, ONE_PROFILE, capabilities=((8, 9),))
    assert len(plan) > len(one)


def test_rtx_says_what_it_cannot_parse(rtx: ModuleType) -> None:
    with pytest.raises(BuildFailed, match=r"cannot parse the graph: .*MODEL_DESERIALIZE_FAILED"):
        build(rtx, b"no graph")


def test_the_types_are_the_graphs_where_the_edition_can() -> None:
    trt = fake("10.13.3.9", strong=True)
    assert build(trt, b"graph") == b"plan"
    calls = vars(trt)["calls"]
    assert calls["flags"] == 1 << 1
    assert "build flags" not in calls
    assert calls["workspace"] == 1 << 30
    assert calls["profiles"] == [("x", (size, 3), (size, 3), (size, 3)) for size in BUCKETS]
    assert (version_of(trt), library_of(trt)) == ((10, 13, 3, 9), "tensorrt 10.13.3.9")


def test_version_8_holds_layers_to_the_graphs_types() -> None:
    wide, narrow, constant = layer(3, "float"), layer(3, "half"), layer(0, "float")
    trt = fake("8.6.0", strong=False, layers=(wide, narrow, constant))
    settings = BuildSettings(
        buckets=(1, 32), profiles="one", tactics=("EDGE_MASK_CONVOLUTIONS", "JIT_CONVOLUTIONS")
    )
    build(trt, b"graph", settings)
    calls = vars(trt)["calls"]
    assert calls["flags"] == 1
    assert calls["build flags"] == ["fp16", "prefer"]
    assert calls["tactics"] == 0b11000
    assert calls["profiles"] == [("x", (1, 3), (32, 3), (32, 3))]
    assert wide.precision == "float"
    assert not hasattr(narrow, "precision")
    assert not hasattr(constant, "precision")


def test_version_8_is_told_of_int8() -> None:
    trt = fake("8.6.0", strong=False, layers=(layer(4, "int8"), layer(3, "float")))
    build(trt, b"graph", BuildSettings(fp16_mode=False))
    assert vars(trt)["calls"]["build flags"] == ["int8"]


def test_without_fp16_mode_version_8_stays_in_float32() -> None:
    trt = fake("8.6.0", strong=False)
    build(trt, b"graph", BuildSettings(fp16_mode=False))
    assert "build flags" not in vars(trt)["calls"]


@pytest.mark.parametrize("known", [None, b"times", b"of another GPU"])
def test_timings_are_kept(known: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "cache" / "timings"
    if known:
        path.parent.mkdir()
        path.write_bytes(known)
    build(fake("10.0", strong=True), b"graph", timing_cache=path)
    assert path.read_bytes() == b"times"


def test_failures_are_told() -> None:
    with pytest.raises(BuildFailed, match="cannot parse the graph: unknown operation"):
        build(fake("10.0", strong=True), b"else")
    with pytest.raises(BuildFailed, match="could not build"):
        build(fake("10.0", strong=True, plan=None), b"graph")


def test_batch_sizes() -> None:
    assert BUCKETS == buckets.BUCKETS
    assert BuildSettings(max_batch_size=8).batches() == (1, 4, 8)
    with pytest.raises(ValueError, match="no bucket"):
        BuildSettings(max_batch_size=2, buckets=(4,)).batches()
