"""A folder of weight files, trusted by digest."""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from app.errors import WeightsError
from app.weights.digest import sha256_of
from app.weights.manifest import MANIFEST
from app.weights.replacing import place, replacing
from app.weights.tensor_file import Damaged, Source, TensorFile
from app.weights.weight_file import Checkpoint, UserFile, WeightFile


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
        self._checkpoints = {of.name: (file, of) for file in manifest for of in file.checkpoints}

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
            WeightsError: the file is not allowed, absent, damaged, or kept in converted form.
        """
        file = self._allowed(name)
        if file.checkpoints:
            raise WeightsError(f"Weight file {name} is kept in converted form only.")
        if problem := self.problem(file):
            raise WeightsError(f"Weight file {name} is {problem}.", f"Run: {file.remedy}")
        return self._place(file)

    def optional_path(self, name: str) -> Path | None:
        """Return where a file is that a server can do without, or None if it was not fetched.

        Raises:
            WeightsError: as `path`, but for an absent file.
        """
        return self.path(name) if self._place(self._allowed(name)).exists() else None

    def published(self, checkpoint: str) -> WeightFile:
        """Return the file that a checkpoint is converted from, with its licence and terms.

        Raises:
            WeightsError: no such checkpoint.
        """
        if checkpoint not in self._checkpoints:
            names = ", ".join(self._checkpoints)
            raise WeightsError(f"There is no checkpoint named {checkpoint!r}.", f"Known: {names}.")
        return self._checkpoints[checkpoint][0]

    def checkpoint(self, name: str) -> dict[str, NDArray[Any]]:
        """Return the weights of a network, by official key in official order, after checking them.

        Args:
            name: such as "motion_extractor", "stitching_retargeting_module/retarget_eye",
                "wav2lip", "wav2lip_gan".

        Raises:
            WeightsError: no such checkpoint, or it is absent or damaged; the hint says what to run.
        """
        file = self.published(name)
        stored = self.tensor_file(file, self._checkpoints[name][1])
        try:
            return stored.read()
        except (OSError, Damaged) as error:
            problem = stored.problem() or "unreadable"
            hint = f"Run: {file.remedy}"
            if isinstance(file.origin, UserFile):
                hint += f" (how to get {file.stem}: {file.origin.page})"
            raise WeightsError(f"The checkpoint {name} is {problem}.", hint) from error

    def tensor_file(self, file: WeightFile, checkpoint: Checkpoint) -> TensorFile:
        """Return where a checkpoint of a file is kept."""
        name = f"{checkpoint.name.replace('/', '.')}.safetensors"
        return TensorFile(self.folder / file.group / name, checkpoint.network)

    def problem(self, file: WeightFile) -> str:
        """Return what is wrong with a stored file, or "".

        One of "absent", "damaged", "unreadable" and, of a converted one, "of another layout".
        """
        if file.checkpoints:
            stored = (self.tensor_file(file, checkpoint) for checkpoint in file.checkpoints)
            return next((problem for each in stored if (problem := each.problem())), "")
        try:
            return "" if sha256_of(self._place(file)) == file.sha256 else "damaged"
        except (FileNotFoundError, NotADirectoryError):
            return "absent"
        except OSError:
            return "unreadable"

    def differences(self, file: WeightFile) -> list[str]:
        """Return lines on every key, type and shape that a converted file should not have."""
        lines = []
        for checkpoint in file.checkpoints:
            try:
                found = self.tensor_file(file, checkpoint).difference().lines()
            except (OSError, Damaged):
                continue
            lines += [f"{checkpoint.name}: {line}" for line in found]
        return lines

    def source(self, file: WeightFile) -> str:
        """Return in words which file a sound converted one came from; "" of any other."""
        for checkpoint in file.checkpoints:
            source = self.tensor_file(file, checkpoint).source()
            known = "the published file" if source.sha256 == file.sha256 else "a file"
            return f"{known} of sha256 {source.sha256[:12]}"
        return ""

    def verify(self, group: str | None = None) -> dict[str, str]:
        """Return, for each file of a group or of all, its `problem`, by name."""
        return {file.name: self.problem(file) for file in self.files(group)}

    def save(self, name: str, content: bytes) -> Path:
        """Write a file in one step, so that readers see the old or the new; return its path.

        Raises:
            WeightsError: the file is not allowed, the content is not it, or it cannot be written.
        """
        file = self._allowed(name)
        _check(file, hashlib.sha256(content).hexdigest())
        target = self._place(file)
        with _writing(name), replacing(target) as written:
            written.write_bytes(content)
        return target

    def adopt(self, name: str, content: Path) -> Path:
        """Move a file of the store's own file system into its place; return its path.

        Raises:
            WeightsError: as `save`.
        """
        file = self._allowed(name)
        target = self._place(file)
        with _writing(name):
            _check(file, sha256_of(content))
            target.parent.mkdir(parents=True, exist_ok=True)
            place(content, target)
        return target

    def save_checkpoint(
        self,
        file: WeightFile,
        checkpoint: Checkpoint,
        tensors: Mapping[str, NDArray[Any]],
        source: Source,
    ) -> None:
        """Write the weights of one network in one step.

        Raises:
            WeightsError: they cannot be written.
        """
        with _writing(checkpoint.name):
            self.tensor_file(file, checkpoint).write(tensors, source)

    def _allowed(self, name: str) -> WeightFile:
        if name not in self._files:
            raise WeightsError(
                f"Weight file {name!r} is not on the allow-list.",
                "Run: python -m app.weights list",
            )
        return self._files[name]

    def _place(self, file: WeightFile) -> Path:
        return self.folder / file.name


def read_checkpoint(folder: Path | None, name: str) -> dict[str, NDArray[Any]]:
    """Return what `WeightStore(folder).checkpoint(name)` does."""
    return WeightStore(folder).checkpoint(name)


def _check(file: WeightFile, digest: str) -> None:
    if digest != file.sha256:
        raise WeightsError(
            f"Weight file {file.name} has digest {digest}, not {file.sha256}.",
            "Its source has changed or the transfer was cut; nothing was stored.",
        )


@contextmanager
def _writing(name: str) -> Iterator[None]:
    """Turn what the file system refuses into our error."""
    try:
        yield
    except OSError as error:
        raise WeightsError(
            f"Weight file {name} could not be written: {error.strerror or error}.",
            "Choose a folder that you may write to with --folder.",
        ) from error
