"""Places for sessions."""

import pytest

from app.errors import OverCapacity
from app.serving.admission import Sessions


def test_a_place_is_free_again_when_its_session_ends_or_fails() -> None:
    sessions = Sessions(1)
    with sessions.admitted(), pytest.raises(OverCapacity) as refused, sessions.admitted():
        pass
    assert refused.value.retry_after_s > 0
    with pytest.raises(ValueError, match="broken"), sessions.admitted():
        raise ValueError("broken")
    with sessions.admitted():
        pass
