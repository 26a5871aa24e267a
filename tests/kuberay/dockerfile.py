"""`kuberay/Dockerfile`, read: stages, and the instructions of each."""

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILE = ROOT / "kuberay" / "Dockerfile"


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
        name: after AS.
        parent: the image or stage that it starts from.
        instructions: (word, rest) in order, continued lines joined.
    """

    name: str
    parent: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all(self, word: str) -> list[str]:
        return [rest for said, rest in self.instructions if said == word]


def stages() -> dict[str, Stage]:
    lines = [line for line in FILE.read_text().splitlines() if not line.lstrip().startswith("#")]
    found: dict[str, Stage] = {}
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "FROM":
            parent, _, name = rest.partition(" AS ")
            found[name] = Stage(name, parent)
        elif word:
            list(found.values())[-1].instructions.append((word, rest))
    return found


def lineage(name: str) -> list[Stage]:
    """Return a stage and those that it starts from, the first one first."""
    all_stages, line = stages(), [stages()[name]]
    while line[0].parent in all_stages:
        line.insert(0, all_stages[line[0].parent])
    return line


def environment(name: str) -> dict[str, str]:
    """Return the variables that a stage sets, with those it starts from."""
    pairs = (
        pair.partition("=")
        for stage in lineage(name)
        for rest in stage.all("ENV")
        for pair in shlex.split(rest)
    )
    return {key: value for key, _, value in pairs}


def labels(name: str) -> dict[str, str]:
    pairs = (
        pair.partition("=") for rest in stages()[name].all("LABEL") for pair in shlex.split(rest)
    )
    return {key: value for key, _, value in pairs}


def copied(stage: Stage) -> list[str]:
    """Return what a stage copies from the checkout."""
    words = [shlex.split(rest) for rest in stage.all("COPY") if "--from=" not in rest]
    return [source for copy in words for source in copy[:-1]]
