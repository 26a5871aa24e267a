"""`kuberay/LICENCES.md` names everything that an image holds."""

import re
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from tests.kuberay.dockerfile import labels, lineage

GENERATED = "<!-- packages -->\n"


def needed(requirement: Requirement, found: dict[str, metadata.Distribution]) -> None:
    """Add the installed distribution of a requirement, and what that needs, to `found`."""
    name = re.sub(r"[-_.]+", "-", requirement.name).lower()
    known = name in found
    if known and not requirement.extras:
        return
    found[name] = distribution = metadata.distribution(name)
    for text in distribution.requires or []:
        inner = Requirement(text)
        extras = requirement.extras or {""}
        wanted = inner.marker is None or any(inner.marker.evaluate({"extra": e}) for e in extras)
        if wanted and not (known and inner.marker is None):
            needed(inner, found)


def packages() -> dict[str, metadata.Distribution]:
    """Return the Python packages of an image as they are installed here, by normal names."""
    found: dict[str, metadata.Distribution] = {}
    needed(Requirement("digital-human[export,tracing]"), found)
    return {name: dist for name, dist in sorted(found.items()) if not is_cuda(name)}


def is_cuda(name: str) -> bool:
    """Return whether a package comes with torch's CUDA builds only; a line of its own says so."""
    if name == "nvidia-ml-py":
        return False  # Python alone, and ours
    return name.startswith(("nvidia-", "cuda-")) or name == "triton"


def licence(distribution: metadata.Distribution) -> str:
    """Return what a distribution says of its licence, in a few words."""
    about = distribution.metadata
    if "License-Expression" in about:
        return about["License-Expression"]
    classifiers = [
        entry.rpartition(" :: ")[2]
        for entry in about.get_all("Classifier") or []
        if entry.startswith("License ::") and not entry.endswith("OSI Approved")
    ]
    stated = (about.get_all("License") or [""])[0].strip().split("\n")[0]
    said = ", ".join(classifiers) or stated
    return said[:80] or "see its files"


def table() -> str:
    """Return the generated part; `python -m tests.kuberay.test_licences` writes it."""
    rows = [f"| {name} | {licence(dist)} |" for name, dist in packages().items()]
    return "\n".join(["| package | licence, as it says itself |", "| --- | --- |", *rows])


def listed(root: Path) -> dict[str, str]:
    text = (root / "kuberay" / "LICENCES.md").read_text()
    rows = re.findall(r"^\| ([a-z0-9.-]+) \| (.+) \|$", text.partition(GENERATED)[2], re.M)
    return {name: said for name, said in rows if name != "package"}


def test_every_package_that_is_installed_is_listed(root: Path) -> None:
    names = listed(root)
    assert sorted(packages().keys() - names.keys()) == []


def test_every_debian_package_that_is_added_is_listed(root: Path) -> None:
    text = (root / "kuberay" / "LICENCES.md").read_text()
    for target in ("cpu", "cuda"):
        for stage in lineage(target):
            for run in stage.all("RUN"):
                for command in re.findall(
                    r"apt-get install -y --no-install-recommends ([^&]+)", run
                ):
                    for package in command.split():
                        assert f"`{package}`" in text, package


def test_the_gpl_parts_are_told_in_the_notice_the_list_and_the_labels(root: Path) -> None:
    for file in ("NOTICE", "kuberay/LICENCES.md"):
        text = (root / file).read_text()
        assert "x264" in text
        assert "x265" in text
        assert "GPL" in text
    for target in ("cpu", "cuda"):
        said = labels(target)["org.opencontainers.image.licenses"]
        assert {"GPL-2.0-or-later", "LGPL-3.0-or-later"} <= set(said.split(" AND "))


def test_pyav_still_links_what_the_labels_say() -> None:
    av = metadata.distribution("av")
    bundled = {Path(str(file)).name.partition("-")[0] for file in av.files or []}
    assert {"libx264", "libx265"} <= {name.partition(".")[0] for name in bundled}


if __name__ == "__main__":
    FILE = Path(__file__).parents[2] / "kuberay" / "LICENCES.md"
    HEAD, _, _ = FILE.read_text().partition(GENERATED)
    FILE.write_text(f"{HEAD}{GENERATED}{table()}\n")
