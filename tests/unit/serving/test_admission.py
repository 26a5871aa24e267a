"""Places for sessions."""

import pytest

from app.errors import OverCapacity
from app.serving.admission import Sessions


def test_a_place_is_free_again_when_its_session_ends_or_fails() -> None:
    sessions = Sessions(1)
    with sessions.admitted("a", None):
        with pytest.raises(OverCapacity) as refused, sessions.admitted("b", None):
            pass
        assert refused.value.retry_after_s > 0
    with pytest.raises(ValueError, match="broken"), sessions.admitted("a", None):
        raise ValueError("broken")
    with sessions.admitted("a", None):
        pass


def test_a_client_at_its_limit_leaves_places_to_others() -> None:
    sessions = Sessions(3)
    with sessions.admitted("a", 1):
        with pytest.raises(OverCapacity, match="key"), sessions.admitted("a", 1):
            pass
        with sessions.admitted("b", 1):
            pass
    with sessions.admitted("a", 1):
        pass
