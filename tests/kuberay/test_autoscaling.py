"""The shipped numbers on Ray's autoscaler: load makes replicas and nodes rise, its end, fall."""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from ray import serve
from ray.serve._private.common import ReplicaState

from tests.kuberay.fake_cluster import FakeCluster, application
from tests.kuberay.rendered import deployments, ray_cluster, workers

DEADLINE_S = 120.0
MODELS = ("PortraitAnimator", "LipSync")
PODS = 3
"""GPU pods that the load shall fill: as many of each model as its target asks for."""


pytestmark = pytest.mark.filterwarnings("ignore:The `metrics_interval_s`:DeprecationWarning")


@pytest.fixture
def cluster() -> Iterator[FakeCluster]:
    head = ray_cluster("base")["headGroupSpec"]["template"]["spec"]["containers"][0]
    shipped = {one["name"]: one["value"] for one in head["env"] if "SERVE" in one["name"]}
    with FakeCluster(shipped) as started:
        yield started


def running() -> Counter[str]:
    """Return how many replicas of each deployment can serve."""
    found = serve.status().applications["default"].deployments
    return Counter(
        {name: one.replica_states.get(ReplicaState.RUNNING, 0) for name, one in found.items()}
    )


def asked_for(calls: int) -> Counter[str]:
    """Return the replicas by which the manifests answer so many calls at once."""
    sizes = {name: one["autoscaling_config"] for name, one in deployments("base").items()}
    wanted = Counter({name: one["min_replicas"] for name, one in sizes.items()})
    for name in ("Ingress", *MODELS):
        target = math.ceil(calls / sizes[name]["target_ongoing_requests"])
        wanted[name] = min(max(target, wanted[name]), sizes[name]["max_replicas"])
    return wanted


def fallen(cluster: FakeCluster, least: Counter[str], nodes: Counter[str]) -> bool:
    """Return whether nothing ends any more, and no node stays that nothing needs.

    Serve stops replicas where fewest are, so that as a rule one GPU pod is left. It promises no
    more than that a pod without replicas goes: the last two models may stand on two.
    """
    found = serve.status().applications["default"].deployments.values()
    if any(one.replica_states.keys() != {ReplicaState.RUNNING} for one in found):
        return False
    needed = nodes["gpu"] <= len(MODELS) and nodes["gpu"] == cluster.nodes(used=True)["gpu"]
    return nodes == least or (nodes["cpu"] == least["cpu"] and needed)


def wait_for(reached: Callable[[], bool], what: str, state: Callable[[], object]) -> None:
    until_s = time.monotonic() + DEADLINE_S
    while not reached():
        assert time.monotonic() < until_s, f"{what}, but: {state()}"
        time.sleep(0.5)


def test_replicas_and_nodes_follow_the_load(cluster: FakeCluster) -> None:
    least = Counter({name: group["minReplicas"] for name, group in workers("base").items()})
    most_gpu_nodes = 0
    handle = serve.run(application())

    def state() -> tuple[Counter[str], Counter[str]]:
        nonlocal most_gpu_nodes
        # While all this moves, one who comes now is answered too.
        assert handle.remote("").result(timeout_s=DEADLINE_S)
        nodes = cluster.nodes()
        most_gpu_nodes = max(most_gpu_nodes, nodes["gpu"])
        return running(), nodes

    wait_for(lambda: state() == (asked_for(0), least), "at first the least of all", state)

    targets = [deployments("base")[name]["autoscaling_config"] for name in MODELS]
    # With the one that comes now, as many as three replicas want.
    calls = PODS * min(one["target_ongoing_requests"] for one in targets) - 1
    early, late = cluster.folder / "early", cluster.folder / "late"
    held = [handle.remote(str(late if which < 2 else early)) for which in range(calls)]
    raised = asked_for(calls)
    assert all(raised[name] == PODS for name in MODELS)
    wait_for(lambda: state()[0] == raised, f"{calls} calls want {raised}", state)
    # Any two of the fractions share a GPU, so three pods hold three of each model, and the
    # replicas without a GPU start no GPU pod.
    assert cluster.nodes()["gpu"] == PODS

    early.touch()
    wait_for(lambda: state()[0] == asked_for(2), "without load the least replicas", state)
    # These two began under the load; replicas that ended since then had to wait for them.
    late.touch()
    assert all(call.result(timeout_s=DEADLINE_S) for call in held)
    wait_for(lambda: fallen(cluster, least, state()[1]), "nodes without replicas go", state)
    assert running() == asked_for(0)
    assert most_gpu_nodes == PODS
