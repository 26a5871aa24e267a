import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from app.errors import WeightsError
from app.weights.bring import bring, importable
from app.weights.fetch import fetch
from app.weights.hub import Hub
from app.weights.manifest import MANIFEST
from app.weights.seeded import seeded
from app.weights.store import WeightStore, read_checkpoint
from app.weights.weight_file import HubFile, UserFile, WeightFile
from tests.unit.weights.conftest import Silent
from tests.unit.weights.hub_server import HubServer, serving
from tests.unit.weights.published import NETS, saved, stitching_content, stitching_file

MakeStore = Callable[..., WeightStore]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("user") / "mine.pth", stitching_content())


@pytest.fixture
def file(path: Path) -> WeightFile:
    return stitching_file(path)


@pytest.fixture
def make_store(tmp_path: Path) -> MakeStore:
    return lambda *files: WeightStore(tmp_path / "store", files)


def test_the_published_file_is_recognised(
    make_store: MakeStore, file: WeightFile, path: Path
) -> None:
    store = make_store(file)
    assert store.problem(file) == "absent"
    taken, how = bring(store, "stitching", path)
    assert taken == file
    assert "published" in how
    assert file.sha256 in how
    assert store.problem(file) == ""
    assert store.source(file) == f"the published file of sha256 {file.sha256[:12]}"
    for name in NETS:
        expected = seeded(f"stitching_retargeting_module/{name}")
        tensors = store.checkpoint(name)
        assert list(tensors) == list(expected)
        assert all(np.array_equal(tensors[key], expected[key]) for key in expected)
    assert not list(store.folder.rglob("*.pth"))


def test_an_unknown_file_is_accepted_by_its_keys_and_shapes(
    make_store: MakeStore, file: WeightFile, path: Path
) -> None:
    unknown = dataclasses.replace(file, sha256="")
    store = make_store(unknown)
    _, how = bring(store, "stitching", path)
    assert "accepted by its keys and shapes" in how
    assert store.source(unknown) == f"a file of sha256 {file.sha256[:12]}"


def test_a_file_known_to_be_another_is_refused(
    make_store: MakeStore, file: WeightFile, path: Path
) -> None:
    twin = dataclasses.replace(file, name="small/twin.pth", sha256="", checkpoints=())
    store = make_store(file, twin)
    with pytest.raises(WeightsError, match="published stitching, not twin") as caught:
        bring(store, "twin", path)
    assert caught.value.hint == "Run: python -m app.weights import stitching PATH"


def test_an_unfit_file_leaves_what_was_stored(
    make_store: MakeStore, file: WeightFile, path: Path, tmp_path: Path
) -> None:
    store = make_store(file)
    bring(store, "stitching", path)
    content = stitching_content()
    del content["retarget_eye"]
    with pytest.raises(WeightsError, match="missing"):
        bring(store, "stitching", saved(tmp_path / "b.pth", content))
    assert store.problem(file) == ""


def test_a_file_that_is_kept_as_it_is_must_be_the_published_one(
    make_store: MakeStore, file: WeightFile, path: Path, tmp_path: Path
) -> None:
    plain = dataclasses.replace(file, name="small/plain.bin", checkpoints=())
    store = make_store(plain)
    other = tmp_path / "other.bin"
    other.write_bytes(b"other")
    with pytest.raises(WeightsError, match="digest"):
        bring(store, "plain", other)
    assert not list((store.folder / "small").iterdir())
    bring(store, "plain", path)
    assert store.path("small/plain.bin").read_bytes() == path.read_bytes()
    assert path.exists()


def test_an_absent_file_or_name_is_told(make_store: MakeStore, file: WeightFile) -> None:
    store = make_store(file)
    with pytest.raises(WeightsError, match="cannot be read"):
        bring(store, "stitching", Path("none.pth"))
    with pytest.raises(WeightsError) as caught:
        bring(store, "face", Path("none.pth"))
    assert caught.value.hint == "Names: stitching."


def test_what_may_be_brought_is_everything_but_the_face_nets() -> None:
    names = importable(WeightStore(Path("none")))
    assert {"wav2lip", "wav2lip_gan", "lipsync_expert", "motion_extractor", "landmark"} <= set(
        names
    )
    assert "mesh" not in names


def test_a_server_is_told_what_to_run_for_an_absent_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="wav2lip_gan is absent") as caught:
        read_checkpoint(tmp_path, "wav2lip_gan")
    assert "python -m app.weights import wav2lip_gan PATH" in caught.value.hint
    assert "Rudrabha/Wav2Lip" in caught.value.hint
    with pytest.raises(WeightsError, match="retarget_eye is absent") as caught:
        read_checkpoint(tmp_path, "stitching_retargeting_module/retarget_eye")
    assert caught.value.hint == "Run: python -m app.weights fetch liveportrait"


def test_a_server_refuses_a_damaged_checkpoint(
    make_store: MakeStore, file: WeightFile, path: Path
) -> None:
    store = make_store(file)
    bring(store, "stitching", path)
    stored = store.folder / "small" / "retarget_eye.safetensors"
    stored.write_bytes(stored.read_bytes()[:-8] + bytes(8))
    with pytest.raises(WeightsError, match="retarget_eye is damaged"):
        store.checkpoint("retarget_eye")
    assert store.problem(file) == "damaged"


def test_a_server_can_tell_the_licence_of_a_checkpoint(tmp_path: Path) -> None:
    store = WeightStore(tmp_path)
    assert store.published("spade_generator").licence == "MIT"
    assert "non-commercial" in store.published("wav2lip_gan").terms


def test_unknown_checkpoints_are_refused_and_the_known_are_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        read_checkpoint(tmp_path, "../secret")
    assert "spade_generator" in caught.value.hint


@pytest.fixture
def hub(path: Path) -> Iterator[HubServer]:
    with serving(path.read_bytes()) as server:
        yield server


def test_a_fetched_checkpoint_is_converted_and_only_the_conversion_kept(
    make_store: MakeStore, path: Path, hub: HubServer
) -> None:
    file = stitching_file(path, HubFile("owner/name", "main", "stitching.pth"))
    store, told = make_store(file), dict[str, str]()
    bytes_told: list[int] = []
    fetch(
        *(store, "small", told.__setitem__),
        hub=Hub(hub.url),
        progress=lambda file, done: bytes_told.append(done),
    )
    assert told == {"small/stitching.pth": "stored from owner/name"}
    assert bytes_told[-1] == file.size_bytes
    assert sorted(each.name for each in (store.folder / "small").iterdir()) == [
        f"{name}.safetensors" for name in sorted(NETS)
    ]
    fetch(store, "small", told.__setitem__, hub=Hub(hub.url))
    assert told == {"small/stitching.pth": "already stored"}
    assert len(hub.asked) == 1


def test_a_fetched_file_without_checkpoints_is_kept_as_it_is(
    make_store: MakeStore, path: Path, hub: HubServer, silent: Silent
) -> None:
    origin = HubFile("owner/name", "main", "plain.bin")
    file = dataclasses.replace(stitching_file(path, origin), checkpoints=())
    store = make_store(file)
    fetch(store, "small", silent, hub=Hub(hub.url))
    assert store.path(file.name).read_bytes() == path.read_bytes()
    assert [each.name for each in (store.folder / "small").iterdir()] == ["stitching.pth"]


def test_a_group_that_is_not_ours_to_fetch_says_how_to_bring_it(
    make_store: MakeStore, file: WeightFile, silent: Silent
) -> None:
    assert isinstance(file.origin, UserFile)
    with pytest.raises(WeightsError, match=r"Be kind\.") as caught:
        fetch(make_store(file), "small", silent)
    assert file.origin.page in caught.value.hint
    assert file.remedy in caught.value.hint


def test_every_published_checkpoint_has_a_place_of_its_own(tmp_path: Path) -> None:
    store = WeightStore(tmp_path)
    places = [store.tensor_file(file, of).path for file in MANIFEST for of in file.checkpoints]
    assert len(set(places)) == len(places) == 10
    assert all(place.parent.parent == tmp_path for place in places)
