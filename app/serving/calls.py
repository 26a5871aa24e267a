"""The one way to call a deployment, with a deadline and cancellation; and what such calls carry."""

import asyncio
from dataclasses import dataclass
from typing import Any, Protocol

from grpc.aio import AioRpcError  # type: ignore[import-untyped]
from ray import ObjectRef
from ray.exceptions import RayError, RayTaskError
from ray.serve.exceptions import BackPressureError, RayServeException

from app.driving import Driven
from app.errors import AppError, DeadlineExceeded, NotReady, OverCapacity
from app.values import FaceMesh, Motion, Portrait


@dataclass(frozen=True, slots=True, eq=False)
class Sitter:
    """A portrait and its face: what a replica caches under `key`, their content hash."""

    key: str
    portrait: Portrait
    mesh: FaceMesh


@dataclass(frozen=True, slots=True, eq=False)
class AnimateCall:
    """One group of one session.

    Attributes:
        key: of the sitter.
        sitter: where to get the sitter when `key` is not in the cache; nested, so that Ray
            does not fetch it for every call. None in calls by value, which would pin it for ever:
            then `UnknownSitter` is the answer.
        motion: one row per frame.
    """

    key: str
    sitter: ObjectRef[Sitter] | None
    motion: Motion | Driven


class UnknownSitter(Exception):
    """The replica does not have the sitter of a call that brings none."""


class RemoteMethod(Protocol):
    """A method of a Ray Serve handle."""

    def remote(self, *args: object) -> Any:  # noqa: ANN401 - Ray's response is untyped
        """Start the call and return its response."""
        ...


async def call(method: RemoteMethod, *args: object, deadline_s: float, spent_s: float = 0.0) -> Any:  # noqa: ANN401
    """Return what a deployment's method answers.

    Dropping an awaitable of Ray Serve does not stop the remote work, so the response is always
    cancelled on the way out; after an answer that does nothing.

    Args:
        method: a handle's method.
        args: what it takes.
        deadline_s: wall-clock seconds for the whole call, queueing included.
        spent_s: what an earlier try of the same call took of them.

    Raises:
        AppError: what the replica raised, or returned for this item of a batch.
        OverCapacity: the deployment's queue is full.
        DeadlineExceeded: no answer in time.
        NotReady: the replica was lost.
    """
    response = method.remote(*args)
    try:
        async with asyncio.timeout(deadline_s - spent_s):
            answer = await response
    except TimeoutError:
        raise DeadlineExceeded(
            f"A model did not answer within {deadline_s:g} s.", "Try again later."
        ) from None
    except BackPressureError as error:
        raise OverCapacity(
            "The models' queues are full.", "Try again later.", error.retry_after_s or 2.0
        ) from None
    except (RayError, RayServeException, AioRpcError) as error:
        raise _translated(error) from None
    finally:
        response.cancel()
    if isinstance(answer, Exception):
        raise _translated(answer)
    return answer


def _translated(error: Exception) -> Exception:
    """Return what the caller shall see of an error: our own, or that a replica was lost."""
    match error:
        case RayTaskError():
            return error.cause if isinstance(error.cause, AppError) else error
        case RayError() | RayServeException() | AioRpcError():
            return NotReady("A model replica was lost.", "Try again: it is being replaced.")
    return error
