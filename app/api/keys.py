"""API keys: who may come in. Only their hashes are configured.

A key is 32 random bytes, so a single SHA-256 of it cannot be turned back by guessing; a slow
password hash would add nothing but load.
"""

import hashlib
import hmac
import ipaddress
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import Field
from starlette.datastructures import Headers
from starlette.types import Scope

from app.errors import Unauthorized
from app.strict import Settings

PREFIX = "dh_"
HINT = "Send `Authorization: Bearer KEY` or `x-api-key: KEY`."
CONFIGURE = "Configure `api.keys`: `python -m app.api key NAME` makes one."
FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")
LOCAL_HOST = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE)
LOCAL_ORIGIN = re.compile(rf"https?://{LOCAL_HOST.pattern}", re.IGNORECASE)


class KeyConfig(Settings):
    """One key, by its hash; `python -m app.api key NAME` makes both."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")
    """Whose key it is; its sessions are counted by it."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Hex SHA-256 of the key."""

    max_sessions: int = Field(default=4, ge=1)
    """Sessions of this key that one ingress replica takes at once."""


@dataclass(frozen=True, slots=True)
class Client:
    """Who sent a request.

    Attributes:
        name: of the key; "local" for loopback without keys.
        max_sessions: of this client at once in one ingress replica; None has no limit of its own.
    """

    name: str
    max_sessions: int | None


LOCAL = Client("local", None)


class Keys:
    """Tells who sent a request.

    Without any configured key, requests from loopback are let in and no others, so that an
    instance which is opened to a network by mistake does not serve it. They must name this machine
    too, and come from no page of another site, because a browser on this machine sends what any
    page tells it to. Behind HAProxy none is let in: there every request seems to come from
    loopback, with no header that says from where it really came.

    Args:
        keys: who may come in.
        peers_hidden: whether a proxy stands before this server that hides who asks.
        more: returns further keys, looked up at every request; where it is given, a key is wanted
            of everyone, even while there is none.
    """

    def __init__(
        self,
        keys: tuple[KeyConfig, ...],
        peers_hidden: bool = False,
        more: Callable[[], tuple[KeyConfig, ...]] | None = None,
    ) -> None:
        self._keys = keys
        self._peers_hidden = peers_hidden
        self._more = more

    def client(self, scope: Scope) -> Client:
        """Return who sent a request.

        Raises:
            Unauthorized: no key, or one that is not configured; without keys, no request of this
                machine's own.
        """
        headers = Headers(scope=scope)
        keys = self._keys if self._more is None else (*self._keys, *self._more())
        if not keys and self._more is None:
            self._check_local(scope, headers)
            return LOCAL
        given = _given(headers)
        if not given:
            raise Unauthorized("The request has no API key.", HINT)
        digest = key_hash(given)
        # All keys are compared, so that the time taken does not tell which one was near.
        found = [key for key in keys if hmac.compare_digest(key.sha256, digest)]
        if not found:
            raise Unauthorized("The API key is not known.", HINT)
        return Client(found[0].name, found[0].max_sessions)

    def _check_local(self, scope: Scope, headers: Headers) -> None:
        """Refuse what may not be of this machine."""
        if self._peers_hidden:
            raise Unauthorized(
                "This server has no API keys, and HAProxy hides from it who asks.", CONFIGURE
            )
        if not _is_loopback(scope) or any(name in headers for name in FORWARDED):
            raise Unauthorized(
                "This server has no API keys and answers its own machine only.", CONFIGURE
            )
        if not LOCAL_HOST.fullmatch(headers.get("host", "")):
            raise Unauthorized(
                "This server has no API keys and goes by the names of its own machine only.",
                f"Ask for localhost or 127.0.0.1. For other names: {CONFIGURE}",
            )
        if not LOCAL_ORIGIN.fullmatch(headers.get("origin", "http://localhost")):
            raise Unauthorized(
                "This server has no API keys and answers no pages of other sites.", CONFIGURE
            )


def make_key() -> str:
    """Return a new random key."""
    return PREFIX + secrets.token_urlsafe(32)


def key_hash(key: str) -> str:
    """Return the hex SHA-256 of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def _given(headers: Headers) -> str:
    """Return the key that a request bears, or nothing."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    return bearer or headers.get("x-api-key", "")


def _is_loopback(scope: Scope) -> bool:
    host = (scope.get("client") or [""])[0]
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
