"""The Starlette application, put together."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.routing import Route
from starlette.types import ASGIApp

from app.api import problems
from app.api.config import ApiConfig
from app.api.keys import Keys
from app.api.middleware import BodyLimit, Gate, Requests
from app.api.routes import Routes
from app.api.service import Service
from app.errors import AppError


def create_app(service: Service, config: ApiConfig) -> ASGIApp:
    """Return the ASGI application over a service."""
    routes = Routes(service)
    app = Starlette(
        routes=[
            Route("/v1/talk", routes.talk, methods=["POST"]),
            Route("/v1/models", routes.models),
            Route("/healthz", routes.healthz),
            Route("/readyz", routes.readyz),
            Route("/metrics", routes.metrics),
        ],
        exception_handlers={
            AppError: problems.on_app_error,
            HTTPException: problems.on_http_error,
            Exception: problems.on_bug,
        },
    )
    guarded = Gate(BodyLimit(app, config.max_upload_bytes), Keys(config.keys))
    answering = ExceptionMiddleware(guarded, {AppError: problems.on_app_error})
    return Requests(answering, service.observe)
