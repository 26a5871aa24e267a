import pytest

from app.weights.__main__ import main
from app.weights.store import WeightStore
from tests.unit.weights.conftest import PLAIN, FakeDownload


def test_fetch_then_verify_succeeds_and_tells_the_licence(
    store: WeightStore, download: FakeDownload, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fetch", "one"], store, download) == 0
    assert "Apache-2.0, nobody" in capsys.readouterr().out
    assert main(["verify", "one"], store, download) == 0
    assert main(["verify"], store, download) == 1
    assert "python -m app.weights fetch two" in capsys.readouterr().out


def test_list_shows_what_is_stored(store: WeightStore, capsys: pytest.CaptureFixture[str]) -> None:
    store.save("two/c.bin", PLAIN)
    assert main(["list"], store) == 0
    shown = capsys.readouterr().out
    assert shown.count("verified") == 1
    assert shown.count("absent") == 2


def test_an_unknown_group_fails_on_stderr(
    store: WeightStore, download: FakeDownload, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fetch", "three"], store, download) == 1
    captured = capsys.readouterr()
    assert "one, two" in captured.err
    assert not captured.out.strip()


@pytest.mark.parametrize("arguments", [[], ["fetch"], ["nonsense"]])
def test_wrong_usage_exits_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
