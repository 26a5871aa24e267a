"""Places for sessions."""

import pytest

from app.api.admission import Sessions
from app.api.keys import LOCAL, Client
from app.errors import OverCapacity
from app.observability.labels import DECISIONS


def test_a_place_is_free_again_when_its_session_ends_or_fails() -> None:
    seen: list[int] = []
    sessions = Sessions(1, seen.append)
    with sessions.admitted(LOCAL):
        with pytest.raises(OverCapacity) as refused, sessions.admitted(Client("b", None)):
            pass
        assert refused.value.retry_after_s > 0
    with pytest.raises(ValueError, match="broken"), sessions.admitted(LOCAL):
        raise ValueError("broken")
    with sessions.admitted(LOCAL):
        pass
    assert seen == [1, 0, 1, 0, 1, 0]


def test_a_client_at_its_limit_leaves_places_to_others() -> None:
    alice, bob = Client("alice", 1), Client("bob", 1)
    sessions = Sessions(3)
    with sessions.admitted(alice):
        with pytest.raises(OverCapacity, match="key"), sessions.admitted(alice):
            pass
        with sessions.admitted(bob):
            pass
    with sessions.admitted(alice):
        pass


def test_every_decision_is_told() -> None:
    told: list[str] = []
    sessions = Sessions(2, decided=told.append)
    with sessions.admitted(Client("alice", 1)):
        with pytest.raises(OverCapacity), sessions.admitted(Client("alice", 1)):
            pass
        with (
            sessions.admitted(LOCAL),
            pytest.raises(OverCapacity),
            sessions.admitted(LOCAL),
        ):
            pass
    assert told == ["admitted", "key_full", "admitted", "server_full"]
    assert set(told) == set(DECISIONS)
