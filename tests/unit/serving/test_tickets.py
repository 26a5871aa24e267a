"""When a stream fits beside others, and whose places are kept."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.serving.tickets import GRACE_S, Taken, Tickets, first_fit_s

NOW_S = 100.0
RATES = st.integers(1, 50).map(float)
TAKEN = st.builds(Taken, RATES, st.integers(95, 130).map(float), st.integers(1, 20).map(float))


def load_fps(held: list[Taken], at_s: float) -> float:
    """Return what is taken just after a time; what was due before now begins now."""
    starts = [(max(each.from_s, NOW_S), each) for each in held]
    return sum(each.fps for from_s, each in starts if from_s <= at_s < from_s + each.duration_s)


@pytest.mark.parametrize(
    ("held", "wait_s"),
    [
        ([], 0),
        ([Taken(50, NOW_S, 10)], 0),
        ([Taken(51, NOW_S, 10)], 10),
        ([Taken(51, NOW_S, 0.2)], 1),
        ([Taken(51, NOW_S + 5, 10)], 0),
        ([Taken(51, NOW_S + 4, 10)], 14),
        ([Taken(51, NOW_S, 3), Taken(51, NOW_S + 8, 4)], 3),
        ([Taken(51, NOW_S, 3.5), Taken(51, NOW_S + 8, 4)], 12),
        ([Taken(51, NOW_S - 2, 10)], 10),
    ],
)
def test_a_stream_goes_where_it_fits_for_as_long_as_it_lasts(
    held: list[Taken], wait_s: float
) -> None:
    assert first_fit_s(held, Taken(50, NOW_S, 5), 100) == wait_s


def test_what_is_more_than_all_never_fits() -> None:
    assert first_fit_s([], Taken(101, NOW_S, 5), 100) == math.inf


@given(st.lists(TAKEN, max_size=8), RATES, st.integers(1, 20))
def test_where_it_fits_it_does_and_no_whole_second_sooner(
    held: list[Taken], fps: float, duration_s: int
) -> None:
    wait_s = first_fit_s(held, Taken(fps, NOW_S, duration_s), 100)
    assert wait_s == int(wait_s)

    def fits(after_s: int) -> bool:
        seconds = range(after_s, after_s + duration_s)
        return all(load_fps(held, NOW_S + second) + fps <= 100 for second in seconds)

    assert fits(int(wait_s))
    assert not any(fits(sooner) for sooner in range(int(wait_s)))


def test_so_many_tickets_are_kept_and_no_more() -> None:
    tickets = Tickets(most=2)
    given_out = [tickets.promise(Taken(25, NOW_S, 5), keep=True) for _ in range(3)]
    assert len(set(given_out[:2])) == 2
    assert given_out[2] == ""
    assert len(tickets.promised()) == 3
    tickets.give_up(given_out[0])
    assert tickets.promise(Taken(25, NOW_S, 5), keep=True)


def test_who_wants_no_ticket_keeps_nothing() -> None:
    tickets = Tickets(most=2)
    for _ in range(9):
        assert tickets.promise(Taken(25, NOW_S, 5), keep=False) == ""
    assert tickets.others() == []
    assert len(tickets.promised()) == 2
    tickets.arrived(NOW_S)
    assert len(tickets.promised()) == 1


def test_places_end_a_little_after_they_are_due() -> None:
    tickets = Tickets()
    ticket = tickets.promise(Taken(25, NOW_S, 5), keep=True)
    tickets.expire(NOW_S + GRACE_S - 0.1)
    assert tickets.place(ticket)
    tickets.expire(NOW_S + GRACE_S)
    assert tickets.place(ticket) is None
