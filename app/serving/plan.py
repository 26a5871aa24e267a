"""Serve configurations for a machine: which deployment gets how much of what.

Each GPU brings one `PortraitAnimator` and one `LipSync`. Ray fills one GPU of a node before it
takes the next: of shares below a half it would put two animators, which take nearly all of the
time, on one GPU, and leave the other to the lips. So an animator takes more than half. Two lips fit
beside it, in whichever order they come, and whatever fits leaves a tenth of the GPU free, because
Ray reserves fractions but does not enforce them. Both models take CUDA by themselves where they see
it (`device: auto`).
"""

from typing import Any

PORTRAIT_GPUS = 0.6
LIPS_GPUS = 0.15
GRACEFUL_S = 120.0

NO_GPU = {"env_vars": {"CUDA_VISIBLE_DEVICES": ""}}
"""Ray 2.60 shows every GPU of the node to replicas that asked for none."""


ALLOCATOR = {
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": str(16 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(64 << 20),
}
"""glibc's allocator keeps to two heaps a process and hands large blocks back. Its own choice, eight
heaps per core, takes 100 MB more over a session of ten minutes and gave no speed in return; lower
thresholds cost half of the speed, in page faults."""


def serve_config(gpus: int, cpus: int = 0) -> dict[str, Any]:
    """Return a complete configuration for `serve run` on a machine.

    The CPU shares of zero GPUs sum to at most two, so that a laptop can place all deployments, and
    those of each GPU to at most four, unless the machine is said to have more.

    Args:
        gpus: how many it has, >= 0.
        cpus: how many it has, where they are more than four a GPU.
    """
    return {
        "proxy_location": "HeadOnly",
        "http_options": {"host": "127.0.0.1", "port": 8000},
        "logging_config": {"encoding": "JSON", "log_level": "INFO", "enable_access_log": False},
        "applications": [
            {
                "name": "digital-human",
                "route_prefix": "/",
                "import_path": "app.serving.build:build_app",
                "runtime_env": {"env_vars": ALLOCATOR},
                "args": {},
                "deployments": [
                    _ingress(gpus, cpus),
                    _deployment("FaceAnalyzer", max(1, gpus), _cpus(0.2 if gpus == 0 else 0.5)),
                    _deployment("PortraitAnimator", max(1, gpus), _model(gpus, PORTRAIT_GPUS)),
                    _deployment("LipSync", max(1, gpus), _model(gpus, LIPS_GPUS)),
                ],
            }
        ],
    }


def _ingress(gpus: int, cpus: int) -> dict[str, Any]:
    """Encoding is the ingress's work and takes CPUs: two replicas for each GPU.

    Where there are more CPUs, one for every two of them: a replica's threads take more than one,
    and the models, Ray and HAProxy want theirs.
    """
    return {
        "name": "Ingress",
        "num_replicas": max(1, 2 * gpus, gpus and cpus // 2),
        "max_ongoing_requests": 32,
        "max_queued_requests": 32,
        "backpressure_config": {"status_code": 429, "retry_after_s": 2.0},
        "graceful_shutdown_timeout_s": GRACEFUL_S,
        "ray_actor_options": {"num_cpus": 0.4 if gpus == 0 else 1.0},
    }


def _deployment(name: str, replicas: int, options: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "num_replicas": replicas,
        # Ray warns below max_batch_size x max_concurrent_batches; the sessions' limit is tighter.
        "max_ongoing_requests": 256,
        "max_queued_requests": 64,
        "ray_actor_options": options,
    }


def _cpus(num_cpus: float) -> dict[str, Any]:
    return {"num_cpus": num_cpus, "runtime_env": NO_GPU}


def _model(gpus: int, share: float) -> dict[str, Any]:
    return _cpus(0.5) if gpus == 0 else {"num_cpus": 0.5, "num_gpus": share}
