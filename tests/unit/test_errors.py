"""Errors survive the journey between processes."""

import pickle

import pytest

from app import errors
from app.errors import AppError, OverCapacity


def leaves() -> list[type[AppError]]:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    return [kind for kind in kinds if issubclass(kind, AppError)]


@pytest.mark.parametrize("kind", leaves(), ids=lambda kind: kind.__name__)
def test_every_error_round_trips_through_pickle(kind: type[AppError]) -> None:
    back = pickle.loads(pickle.dumps(kind("detail", "hint")))
    assert (type(back), back.detail, back.hint) == (kind, "detail", "hint")


def test_over_capacity_keeps_its_delay() -> None:
    error = pickle.loads(pickle.dumps(OverCapacity("a", "b", 7.5, "c")))
    assert (error.retry_after_s, error.ticket) == (7.5, "c")


def test_codes_are_unique_and_drawn_in_the_tree() -> None:
    codes = [kind.code for kind in leaves() if kind is not AppError]
    assert len(codes) == len(set(codes))
    assert all(code in (errors.__doc__ or "") for code in codes)
