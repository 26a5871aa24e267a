"""The application's builder: what `import_path` in `serve_config.yaml` names.

No `from __future__ import annotations` here: Ray reads the builder's annotation to validate
`args`, and skips that silently when it is a string.
"""

from collections.abc import Callable, Sequence
from typing import Any

from ray import serve
from ray.serve import Application
from ray.serve.config import DeploymentActorConfig

from app.serving.budget import budget_actor
from app.serving.face import FaceAnalyzer
from app.serving.ingress import Ingress
from app.serving.lips import LipSync
from app.serving.portrait import PortraitAnimator
from app.serving.tracing import check_installed
from app.settings import AppArgs


def build_app(args: AppArgs) -> Application:
    """Return the composition graph: an ingress over one deployment per model.

    Args:
        args: validated from the `args:` of the application; an unknown key fails the deploy.

    Raises:
        NotReady: traces are asked for, and what makes them is not installed.
    """
    check_installed(args.tracing)
    return graph_of(args, FaceAnalyzer, PortraitAnimator, LipSync)


def graph_of(
    args: AppArgs,
    face: type[FaceAnalyzer],
    portrait: type[PortraitAnimator],
    lips: type[LipSync],
) -> Application:
    """Return the graph over these models; a benchmark puts idle ones in."""
    return _bind(
        serve.ingress()(Ingress),
        args,
        _bind(face, args.face, args.weights, args.tracing),
        _bind(portrait, args.portrait, args.weights, args.runtime, args.tracing),
        _bind(lips, args.lips, args.weights, args.runtime, args.tracing),
        beside=[budget_actor()],
    )


def _bind(
    replica: Callable[..., object],
    *args: object,
    beside: Sequence[DeploymentActorConfig] | None = None,
) -> Application:
    """Return a node of the graph; the classes stay plain, so that Ray pickles them by name."""
    actors: list[dict[Any, Any] | DeploymentActorConfig] | None = list(beside) if beside else None
    return serve.deployment(deployment_actors=actors)(replica).bind(*args)
