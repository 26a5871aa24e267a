"""The Starlette application, put together."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import ClientDisconnect
from starlette.routing import Route
from starlette.types import ASGIApp

from app.api import problems
from app.api.admission import Sessions
from app.api.config import ApiConfig
from app.api.key_file import KeyFile
from app.api.keys import Keys
from app.api.middleware import BodyLimit, Gate, Requests
from app.api.routes import Routes
from app.api.service import Service
from app.errors import AppError


def create_app(
    service: Service, config: ApiConfig, sessions: Sessions, peers_hidden: bool = False
) -> ASGIApp:
    """Return the ASGI application over a service.

    Args:
        service: does the work.
        config: limits of requests, and the keys.
        sessions: places for uploads and the work on them.
        peers_hidden: whether a proxy stands before this server that hides who asks.
    """
    routes = Routes(service)
    table = [
        Route("/v1/talk", routes.talk, methods=["POST"]),
        Route("/v1/animate", routes.animate, methods=["POST"]),
        Route("/v1/lipsync", routes.lipsync, methods=["POST"]),
        Route("/v1/frames", routes.frames, methods=["POST"]),
        Route("/v1/motions", routes.motions, methods=["POST"]),
        Route("/v1/models", routes.models),
        Route("/healthz", routes.healthz),
        Route("/readyz", routes.readyz),
        Route("/metrics", routes.metrics),
    ]
    app = Starlette(
        routes=table,
        exception_handlers={
            AppError: problems.on_app_error,
            HTTPException: problems.on_http_error,
            ClientDisconnect: problems.on_client_left,
            Exception: problems.on_bug,
        },
    )
    file = KeyFile(config.keys_file) if config.keys_file else None
    keys = Keys(config.keys, peers_hidden, file.current if file else None)
    guarded = Gate(BodyLimit(app, config), keys, sessions)
    answering = ExceptionMiddleware(guarded, {AppError: problems.on_app_error})
    return Requests(answering, service.observe, frozenset(route.path for route in table))
