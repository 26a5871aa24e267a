"""`python -m app.serving`: configurations for a machine and for clusters, and a pod's last minutes.

`config --gpus N` prints a complete configuration for `serve run`; `manifests` writes those of
`kuberay/`; `drain` is what a pod does before it ends.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from app.serving.drain import drain
from app.serving.manifests import dump, patches
from app.serving.plan import serve_config


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser("python -m app.serving", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    config = commands.add_parser("config", help="print a configuration for a number of GPUs")
    config.add_argument(
        "--gpus", type=int, default=0, choices=range(65), metavar="N", help="0 to 64 (default: 0)"
    )
    config.add_argument("--cpus", type=int, default=0, help="CPUs, if more than four a GPU")
    manifests = commands.add_parser("manifests", help="write the Serve configurations of kuberay/")
    manifests.add_argument("--config", type=Path, default=Path("serve_config.yaml"))
    manifests.add_argument("--folder", type=Path, default=Path("kuberay"))
    manifests.add_argument("--check", action="store_true", help="write nothing; 1 if they differ")
    ending = commands.add_parser("drain", help="move work off this Ray node and wait for the rest")
    ending.add_argument("--timeout-s", type=float, default=690.0, help="default: %(default)s")
    args = parser.parse_args(argv)
    if args.command == "manifests":
        return _manifests(args.config, args.folder, args.check)
    if args.command == "drain":
        return 0 if drain(args.timeout_s) else 1
    print(dump(serve_config(args.gpus, args.cpus)), end="")
    return 0


def _manifests(config: Path, folder: Path, check: bool) -> int:
    """Write every patch that is not as it should be, or only tell; return the exit status."""
    stale = [
        (path, text)
        for path, text in patches(config, folder)
        if not path.is_file() or path.read_text() != text
    ]
    for path, text in stale:
        print(f"{path}: {'differs' if check else 'written'}")
        if not check:
            path.write_text(text)
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
