import os
import stat
from pathlib import Path

import pytest

from app.errors import WeightsError
from app.weights.store import WeightStore, default_folder
from tests.unit.weights.conftest import NESTED, PLAIN


def test_default_folder_follows_the_cache_variable() -> None:
    assert default_folder({"XDG_CACHE_HOME": "/c"}) == Path("/c/digital-human/weights")


@pytest.mark.parametrize("environment", [{}, {"XDG_CACHE_HOME": ""}, {"XDG_CACHE_HOME": "c"}])
def test_default_folder_is_in_the_home_without_a_usable_variable(
    environment: dict[str, str],
) -> None:
    assert default_folder(environment) == Path.home() / ".cache" / "digital-human" / "weights"


def test_a_saved_file_is_found_and_readable_by_all(store: WeightStore) -> None:
    path = store.save("one/a.bin", PLAIN)
    assert store.path("one/a.bin") == path
    assert path.read_bytes() == PLAIN
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_an_absent_file_names_the_command_that_gets_it(store: WeightStore) -> None:
    with pytest.raises(WeightsError, match=r"one/a\.bin is absent") as caught:
        store.path("one/a.bin")
    assert caught.value.hint == "Run: python -m app.weights fetch one"


def test_a_damaged_file_is_refused(store: WeightStore) -> None:
    store.save("one/a.bin", PLAIN).write_bytes(PLAIN + b"!")
    with pytest.raises(WeightsError, match="damaged"):
        store.path("one/a.bin")


def test_a_file_that_a_server_can_do_without_is_none_until_it_is_fetched(
    store: WeightStore,
) -> None:
    assert store.optional_path("one/a.bin") is None
    path = store.save("one/a.bin", PLAIN)
    assert store.optional_path("one/a.bin") == path
    path.write_bytes(PLAIN[1:])
    with pytest.raises(WeightsError, match=r"one/a\.bin is damaged") as caught:
        store.optional_path("one/a.bin")
    assert caught.value.hint == "Run: python -m app.weights fetch one"
    with pytest.raises(WeightsError, match="allow-list"):
        store.optional_path("one/other.bin")


def test_an_unlisted_name_is_refused_even_if_it_exists(store: WeightStore) -> None:
    outside = store.folder.parent / "secret"
    outside.write_bytes(b"")
    with pytest.raises(WeightsError, match="allow-list"):
        store.path("../secret")
    with pytest.raises(WeightsError, match="allow-list"):
        store.save("../secret", b"x")


def test_wrong_content_is_not_stored(store: WeightStore) -> None:
    store.save("one/a.bin", PLAIN)
    with pytest.raises(WeightsError, match="digest"):
        store.save("one/a.bin", NESTED)
    assert store.path("one/a.bin").read_bytes() == PLAIN


def test_a_failed_write_leaves_the_old_file_and_no_rest(
    store: WeightStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = store.save("one/a.bin", PLAIN)

    def refuse(source: str, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(WeightsError, match="No space left"):
        store.save("one/a.bin", PLAIN)
    assert [file.name for file in path.parent.iterdir()] == ["a.bin"]


def test_a_file_in_place_of_the_folder_is_told(store: WeightStore) -> None:
    store.folder.write_bytes(b"")
    assert store.verify("one") == {"one/a.bin": "absent", "one/b.bin": "absent"}
    with pytest.raises(WeightsError, match="could not be written"):
        store.save("one/a.bin", PLAIN)


def test_verify_tells_each_file_of_a_group_or_of_all(store: WeightStore) -> None:
    store.save("one/a.bin", PLAIN)
    store.save("two/c.bin", PLAIN).write_bytes(b"")
    assert store.verify("one") == {"one/a.bin": "", "one/b.bin": "absent"}
    assert store.verify()["two/c.bin"] == "damaged"


def test_an_unknown_group_is_refused_and_the_known_are_named(store: WeightStore) -> None:
    with pytest.raises(WeightsError) as caught:
        store.verify("three")
    assert "one, two" in caught.value.hint
