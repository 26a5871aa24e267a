"""What Ray Serve's proxy runs before it looks at a request.

Ray calls `middlewares` in every proxy when `RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH` names it;
without that, the ingress refuses requests that bear the headers removed here.
"""

from starlette.middleware import Middleware

from app.api.middleware import StripSteering


def middlewares() -> list[Middleware]:
    """Return the middleware of the proxy."""
    return [Middleware(StripSteering)]
