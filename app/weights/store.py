"""A folder of weight files, trusted by digest."""

import hashlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from app.errors import WeightsError
from app.weights.manifest import MANIFEST, WeightFile


def default_folder(environment: Mapping[str, str] | None = None) -> Path:
    """Return the store in the user's cache folder.

    Args:
        environment: read for XDG_CACHE_HOME; this process's own if absent.
    """
    variables = os.environ if environment is None else environment
    cache = variables.get("XDG_CACHE_HOME", "")
    # A relative XDG_CACHE_HOME is to be ignored: XDG base directory specification.
    root = Path(cache) if os.path.isabs(cache) else Path.home() / ".cache"
    return root / "digital-human" / "weights"


class WeightStore:
    """Reads and writes the files of a manifest.

    Args:
        folder: where they are; need not exist yet. The default folder if absent.
        manifest: the files that are allowed.
    """

    def __init__(
        self, folder: Path | None = None, manifest: Sequence[WeightFile] = MANIFEST
    ) -> None:
        self.folder = default_folder() if folder is None else folder
        self._files = {file.name: file for file in manifest}

    def groups(self) -> list[str]:
        """Return the names of the groups, in the manifest's order."""
        return list(dict.fromkeys(file.group for file in self._files.values()))

    def files(self, group: str | None = None) -> list[WeightFile]:
        """Return the allowed files of a group, or of all.

        Raises:
            WeightsError: no such group.
        """
        if group is not None and group not in self.groups():
            raise WeightsError(
                f"There is no group of weights named {group!r}.",
                f"Groups: {', '.join(self.groups())}.",
            )
        return [file for file in self._files.values() if group in (None, file.group)]

    def path(self, name: str) -> Path:
        """Return where a file is, after checking its digest.

        Raises:
            WeightsError: the file is not allowed, absent or damaged.
        """
        file = self._allowed(name)
        if problem := self.problem(file):
            raise WeightsError(
                f"Weight file {name} is {problem}.",
                f"Run: python -m app.weights fetch {file.group}",
            )
        return self._place(file)

    def problem(self, file: WeightFile) -> str:
        """Return what is wrong with a stored file: "", "absent", "damaged" or "unreadable"."""
        try:
            content = self._place(file).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return "absent"
        except OSError:
            return "unreadable"
        return "" if hashlib.sha256(content).hexdigest() == file.sha256 else "damaged"

    def verify(self, group: str | None = None) -> dict[str, str]:
        """Return, for each file of a group or of all, its `problem`, by name."""
        return {file.name: self.problem(file) for file in self.files(group)}

    def save(self, name: str, content: bytes) -> Path:
        """Write a file in one step, so that readers see the old or the new; return its path.

        Raises:
            WeightsError: the file is not allowed, the content is not it, or it cannot be written.
        """
        file = self._allowed(name)
        if (digest := hashlib.sha256(content).hexdigest()) != file.sha256:
            raise WeightsError(
                f"Weight file {name} has digest {digest}, not {file.sha256}.",
                "Its source has changed or the transfer was cut; nothing was stored.",
            )
        target = self._place(file)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            _replace(target, content)
        except OSError as error:
            raise WeightsError(
                f"Weight file {name} could not be written: {error.strerror}.",
                "Choose a folder that you may write to with --folder.",
            ) from error
        return target

    def _allowed(self, name: str) -> WeightFile:
        if name not in self._files:
            raise WeightsError(
                f"Weight file {name!r} is not on the allow-list.",
                "Run: python -m app.weights list",
            )
        return self._files[name]

    def _place(self, file: WeightFile) -> Path:
        return self.folder / file.name


def _replace(target: Path, content: bytes) -> None:
    """Write content beside the target, flush it to disk, then rename it onto the target."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        # mkstemp gives 0600; a store in a shared image is read by other users too.
        os.chmod(name, 0o644)
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
