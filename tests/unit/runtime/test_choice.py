"""Engines are taken by measurement; here with engines that only say what they are."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from app.models.viseme.net import VisemeNet
from app.runtime import choice
from app.runtime.accuracy import snr_db
from app.runtime.choice import BucketedEngine, best_engine, decided, measured
from app.runtime.config import RuntimeConfig
from app.runtime.engine import Engine
from app.runtime.nets import NETS
from app.runtime.order import Order, buckets_within
from app.runtime.verdicts import Verdict, VerdictCache, key_of


class Marking:
    """Adds a number to what comes."""

    device = torch.device("cpu")

    def __init__(self, backend: str, mark: float, precision: str = "fp16") -> None:
        self.backend, self.precision, self.mark = backend, precision, mark
        self.sizes: list[int] = []

    def run(self, *inputs: Tensor) -> Tensor:
        self.sizes.append(len(inputs[0]))
        return inputs[0].float() + self.mark


def verdict(backend: str, ms: float, why: str = "", batch: int = 1) -> Verdict:
    return Verdict(backend, batch, ms, 50.0, False, why)


def test_the_fastest_exact_engine_of_a_size_is_used() -> None:
    result = decided([verdict("eager", 4.0), verdict("compiled", 1.0)])
    assert [each.used for each in result] == [False, True]
    assert result[0].why == "compiled is faster: 1.00 ms against 4.00."


def test_a_slower_engine_is_reported_and_not_used() -> None:
    result = decided([verdict("eager", 1.0), verdict("compiled", 4.0)])
    assert [each.used for each in result] == [True, False]
    assert "eager is faster" in result[1].why


def test_an_engine_that_is_not_exact_is_not_used_however_fast() -> None:
    result = decided([verdict("eager", 4.0), verdict("compiled", 1.0, why="30 dB.")])
    assert [each.used for each in result] == [True, False]
    assert result[1].why == "30 dB."


@pytest.fixture
def times(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """What each backend takes."""
    taken = {"eager": 2.0, "compiled": 1.0}
    monkeypatch.setattr(choice, "_ms", lambda engine, order, size: taken[engine.backend])
    return taken


def verdicts_of(made: "Engine | Exception") -> choice.Chosen:
    def make() -> Engine:
        if isinstance(made, Exception):
            raise made
        return made

    order = Order(NETS["viseme"], VisemeNet(), "cpu", RuntimeConfig(max_batch_size=4))
    return measured(order, Marking("eager", 0, "fp32"), {"compiled": make})


@pytest.mark.usefixtures("times")
def test_an_exact_and_faster_engine_is_taken() -> None:
    chosen = verdicts_of(Marking("compiled", 0.1))
    assert chosen.engine.backend == "compiled"
    assert all(each.snr_db > 40 for each in chosen.verdicts)


@pytest.mark.usefixtures("times")
def test_an_inexact_engine_is_left() -> None:
    chosen = verdicts_of(Marking("compiled", 20.0))
    assert chosen.engine.backend == "eager"
    assert any("of signal to noise, 40 are needed" in each.why for each in chosen.verdicts)


@pytest.mark.usefixtures("times")
def test_an_engine_that_cannot_be_made_is_left() -> None:
    chosen = verdicts_of(RuntimeError("no kernel image"))
    assert chosen.engine.backend == "eager"
    assert any("no kernel image" in each.why for each in chosen.verdicts)


def test_a_slower_engine_is_left(times: dict[str, float]) -> None:
    times["compiled"] = 3.0
    assert verdicts_of(Marking("compiled", 0.0)).engine.backend == "eager"


def test_each_bucket_goes_to_its_own_engine() -> None:
    small, large = Marking("eager", 1), Marking("compiled", 2)
    engine = BucketedEngine({1: small, 4: large})
    assert engine.backend == "eager+compiled"
    answer = engine.run(torch.zeros(5, 1))
    assert answer.flatten().tolist() == [2, 2, 2, 2, 1]
    assert (small.sizes, large.sizes) == ([1], [4])


def test_nets_run_eagerly_on_a_cpu(tmp_path: Path) -> None:
    chosen = best_engine("viseme", VisemeNet(), "cpu", RuntimeConfig(cache=tmp_path))
    assert (chosen.engine.backend, chosen.engine.precision) == ("eager", "fp32")
    assert not list(tmp_path.iterdir())


def test_buckets_stay_within_the_largest_batch() -> None:
    assert buckets_within(9) == (1, 4, 8)


def test_verdicts_come_back_from_the_cache(tmp_path: Path) -> None:
    cache, kept = VerdictCache(tmp_path / "new"), [Verdict("eager", 1, 2.0, float("inf"), True)]
    cache.store("key", kept)
    assert cache.load("key") == kept
    assert cache.names() == ["key"]


@pytest.mark.parametrize("content", ["", "{", '[{"backend": "eager"}]', "7"])
def test_a_damaged_entry_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "key.json").write_text(content)
    assert VerdictCache(tmp_path).load("key") is None


def test_a_key_depends_on_weights_shapes_and_machine() -> None:
    example, wider = (torch.zeros(1, 2),), (torch.zeros(1, 3),)
    keys = {
        key_of("net", "one", example, "H100"),
        key_of("net", "other", example, "H100"),
        key_of("net", "one", wider, "H100"),
        key_of("net", "one", example, "H200"),
    }
    assert len(keys) == 4
    assert key_of("net", "one", (torch.ones(5, 2),), "H100") in keys


def test_signal_to_noise() -> None:
    reference = torch.ones(100)
    assert snr_db(reference, reference) == float("inf")
    assert snr_db(reference * 1.01, reference) == pytest.approx(40, abs=0.01)
    assert snr_db(torch.full((100,), float("nan")), reference) == float("-inf")
