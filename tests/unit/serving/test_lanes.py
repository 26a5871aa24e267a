"""Live calls go first, and others never stand still."""

from hypothesis import given
from hypothesis import strategies as st

from app.serving.lanes import CLIP_EVERY, WATCHED_S, Lanes


def lanes(live: int, clips: int) -> Lanes[str]:
    made: Lanes[str] = Lanes()
    for i in range(clips):
        made.put(f"clip {i}", live=False)
    for i in range(live):
        made.put(f"live {i}", live=True)
    return made


def test_live_calls_go_first_and_others_fill_up() -> None:
    waiting = lanes(live=3, clips=9)
    assert waiting.take(4) == ["live 0", "live 1", "live 2", "clip 0"]
    assert waiting.take(4) == ["clip 1", "clip 2", "clip 3", "clip 4"]


def test_where_live_calls_fill_every_run_every_second_keeps_a_place() -> None:
    waiting = lanes(live=100, clips=3)
    runs = [waiting.take(4) for _ in range(6)]
    assert [sum(call.startswith("clip") for call in run) for run in runs] == [0, 1] * 3


def test_a_run_of_one_place_serves_both() -> None:
    waiting = lanes(live=10, clips=2)
    first = [waiting.take(1)[0] for _ in range(4)]
    assert sum(call.startswith("clip") for call in first) == 4 // CLIP_EVERY


@given(st.lists(st.booleans(), max_size=40), st.integers(1, 5))
def test_everybody_is_served_once_and_in_turn(live: list[bool], places: int) -> None:
    waiting: Lanes[tuple[bool, int]] = Lanes()
    for number, is_live in enumerate(live):
        waiting.put((is_live, number), is_live)
    served = []
    while waiting:
        run = waiting.take(places)
        assert 1 <= len(run) <= places
        served += run
    assert sorted(number for _, number in served) == list(range(len(live)))
    for kind in (True, False):
        order = [number for is_live, number in served if is_live is kind]
        assert order == sorted(order)


def test_while_somebody_watches_one_other_call_joins_a_run() -> None:
    now_s = 100.0
    waiting: Lanes[str] = Lanes(lambda: now_s)
    for number in range(6):
        waiting.put(f"clip {number}", live=False)
    assert waiting.most_clips() > 6
    waiting.put("live", live=True)
    assert waiting.take(4, most_clips=waiting.most_clips()) == ["live", "clip 0"]
    # The stream's next call is on its way: it would wait for all of a full run.
    assert waiting.take(4, most_clips=waiting.most_clips()) == ["clip 1"]
    now_s += WATCHED_S
    assert len(waiting.take(4, most_clips=waiting.most_clips())) == 4
