"""Errors as problem JSON (RFC 9457): the one table from error to HTTP status."""

import logging
import math

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from app import errors
from app.api.told import TICKET

STATUS: dict[type[errors.AppError], int] = {
    errors.BadRequest: 400,
    errors.Unauthorized: 401,
    errors.UnknownPortrait: 404,
    errors.UploadTimeout: 408,
    errors.TooLarge: 413,
    errors.AudioTooLong: 413,
    errors.UnsupportedMedia: 415,
    errors.AudioTooShort: 422,
    errors.AudioSilent: 422,
    errors.NoFace: 422,
    errors.FaceTooSmall: 422,
    errors.FaceTurnedAway: 422,
    errors.OverCapacity: 429,
    errors.NotReady: 503,
    errors.WeightsError: 503,
    errors.DeadlineExceeded: 504,
}

CLIENT_LEFT = 499
"""Nobody reads this status; Serve counts clients that left by the same."""

logger = logging.getLogger(__name__)


def problem(
    status: int, code: str, title: str, detail: str, hint: str, request_id: str
) -> JSONResponse:
    """Return one problem document."""
    body = {
        "type": f"urn:digital-human:problem:{code}",
        "code": code,
        "title": title,
        "status": status,
        "detail": detail,
        "hint": hint,
        "request_id": request_id,
    }
    return JSONResponse(body, status, media_type="application/problem+json")


def on_app_error(request: Request, error: Exception) -> Response:
    """Answer an error of ours by its table row, looked up along its bases."""
    assert isinstance(error, errors.AppError)
    status = next(STATUS[base] for base in type(error).__mro__ if base in STATUS)
    response = problem(
        status, error.code, error.title, error.detail, error.hint, request_id(request)
    )
    if isinstance(error, errors.Unauthorized):
        response.headers["www-authenticate"] = "Bearer"
    if isinstance(error, errors.OverCapacity):
        response.headers["retry-after"] = str(math.ceil(error.retry_after_s))
        if error.ticket:
            response.headers[TICKET] = error.ticket
    if isinstance(error, errors.UploadTimeout):
        response.headers["connection"] = "close"  # or the rest is waited for
    request.state.outcome = error.code
    return response


def on_http_error(request: Request, error: Exception) -> Response:
    """Answer what Starlette itself refuses: unknown routes, methods, broken multipart."""
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "bad_request")
    title = code.replace("_", " ").capitalize()
    response = problem(
        error.status_code, code, title, error.detail, "See the README.", request_id(request)
    )
    response.headers.update(error.headers or {})
    request.state.outcome = code
    return response


def on_client_left(request: Request, error: Exception) -> Response:
    """Answer a client that left before its request was read."""
    assert isinstance(error, ClientDisconnect)
    request.state.outcome = "abandoned"
    return Response(status_code=CLIENT_LEFT)


def on_bug(request: Request, error: Exception) -> Response:
    """Answer anything unexpected without showing its inside; the log has it."""
    logger.error("Request %s failed.", request_id(request), exc_info=error)
    request.state.outcome = "internal"
    return problem(
        500,
        "internal",
        "Internal error",
        "The server failed to do this.",
        "Report it with the request id.",
        request_id(request),
    )


def request_id(request: Request) -> str:
    """Return the id that the middleware gave to this request."""
    return str(getattr(request.state, "request_id", ""))
