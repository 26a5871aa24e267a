"""The soak's mix is fair and reproducible, and its report tells. Starts no server."""

import itertools
import json
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from app.bench import __main__ as command
from app.bench.keyed import keyed
from app.bench.soak import Soak, Tally, _Queue, warnings_in
from app.bench.soak_report import plot, tables, write_json
from app.bench.soak_requests import CODES, DECK, Kind, orders
from app.bench.soak_samples import Growth, Sample, Usage, judge

CARDS = sum(DECK.values())
MINUTE_S = 60.0


def samples() -> list[Sample]:
    usage = Usage(100_000_000, 120_000_000, 0, 30, 10, 1.0, (7,))
    return [Sample(5.0 * n, {"lips": usage, "gcs": usage}, 1e6, 0) for n in range(13)]


def finished(wrong: Kind | None = None, idle_after_s: float | None = 20.0) -> Soak:
    tally = Tally()
    tally.add(Kind.GOOD, "")
    if wrong:
        tally.add(wrong, "told [weights]")
    taken = samples()
    growths = judge(taken, MINUTE_S, taken[0], taken[-1])
    return Soak(3, MINUTE_S, tally, taken, growths, idle_after_s, most_per_s=2.0, cpu_cores=1.5)


def test_equal_seeds_ask_for_the_same_and_others_do_not() -> None:
    first, same, other = (list(itertools.islice(orders(seed), 100)) for seed in (1, 1, 2))
    assert first == same
    assert first != other


def test_every_deck_holds_every_kind_in_its_share() -> None:
    asked = orders(5)
    decks = [list(itertools.islice(asked, CARDS)) for _ in range(3)]
    assert all(Counter(order.kind for order in deck) == DECK for deck in decks)
    assert len({tuple(order.kind for order in deck) for deck in decks}) == 3
    assert set(DECK) == set(Kind)
    assert CODES.keys() < set(Kind)


def test_requests_are_handed_out_in_order_and_a_stop_ends_the_wait() -> None:
    asked, stop = _Queue(orders(1), per_s=1e-6), threading.Event()
    first = asked.next(stop)  # due at once
    stop.set()
    assert [first, asked.next(stop)] == list(itertools.islice(orders(1), 2))


def test_settings_are_changed_beside_those_that_are_there(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    there = {"api": {"upload_s": 9.0}, "frames": {"max_speech_s": 2.0}, "lips": {"a": 1}}
    config.write_text(yaml.safe_dump({"applications": [{"args": there}]}))
    with keyed(config, frames={"cache_bytes": 7}) as (changed, _):
        (application,) = yaml.safe_load(changed.read_text())["applications"]
    args = application["args"]
    assert args["frames"] == {"max_speech_s": 2.0, "cache_bytes": 7}
    assert args["lips"] == there["lips"]
    assert args["api"]["upload_s"] == 9.0
    assert len(args["api"]["keys"]) == 1


def test_a_soak_is_met_only_if_flat_and_right_and_at_rest() -> None:
    assert finished().met
    assert not finished(wrong=Kind.NO_FACE).met
    assert not finished(idle_after_s=None).met
    soak = finished()
    soak.growths.append(Growth("lips", "threads", 10, 20, 4))
    assert not soak.met


def test_the_report_names_what_grew_and_what_was_answered_wrongly(tmp_path: Path) -> None:
    soak = finished(wrong=Kind.NO_FACE)
    soak.growths[0] = Growth(soak.growths[0].process, "memory", 100e6, 150e6, 16e6)
    console = Console(width=120, record=True, file=(tmp_path / "out").open("w"))
    console.print(*tables(soak))
    shown = console.export_text()
    assert "+50.0" in shown
    assert shown.count("NO: memory") == 1
    file = tmp_path / "deep" / "soak.json"
    write_json(soak, file)
    document = json.loads(file.read_text())
    assert document["met"] is False
    assert document["wrong"] == {"no face": 1}
    assert [growth["met"] for growth in document["growths"]].count(False) == 1
    assert len(document["samples"]) == 13


def test_warnings_are_those_lines_of_the_log_that_the_mix_does_not_explain(tmp_path: Path) -> None:
    folder = tmp_path / "ray" / "session_latest" / "logs" / "serve"
    folder.mkdir(parents=True)
    told: list[dict[str, str]] = [
        {"levelname": "INFO", "outcome": "ok"},
        {"levelname": "INFO", "outcome": "no_face"},
        {"levelname": "INFO", "outcome": "abandoned"},
        {"levelname": "INFO", "outcome": "failed"},
        {"levelname": "WARNING", "message": "a"},
        {"levelname": "INFO", "message": "b"},
    ]
    lines = [json.dumps(line) for line in told]
    (folder / "replica.log").write_text("\n".join([*lines, '{"levelname": "WARN']))
    assert warnings_in(tmp_path) == [lines[3], lines[4]]


def test_the_plot_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    plot(finished(), tmp_path / "soak.png")
    assert (tmp_path / "soak.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("wrong", "status"), [(None, 0), (Kind.CUT_AUDIO, 1)])
def test_the_exit_status_is_the_verdict(
    wrong: Kind | None,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked: list[object] = []

    def run(
        config: Path,
        seconds: float,
        seed: int,
        environment: dict[str, str],
        progress: Callable[[float, Tally], None],
        share: float,
    ) -> Soak:
        asked.extend((seconds, seed, bool(environment), share))
        progress(5.0, Tally())
        return finished(wrong)

    monkeypatch.setattr(command, "run_soak", run)
    words = ["soak", "--minutes", "2", "--seed", "9", "--mode", "haproxy", "--share", "0.5"]
    assert command.main([*words, "--out", str(tmp_path / "soak.json")]) == status
    assert asked == [120.0, 9, True, 0.5]
    shown = capsys.readouterr().out
    assert ("told [weights]" in shown) == bool(wrong)  # brackets are no markup here


def test_a_soak_too_short_to_judge_is_refused() -> None:
    with pytest.raises(SystemExit):
        command.main(["soak", "--minutes", "0.5"])
