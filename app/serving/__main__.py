"""`python -m app.serving config --gpus N`: prints a complete configuration for `serve run`."""

import argparse
import sys
from collections.abc import Sequence

import yaml

from app.serving.plan import serve_config


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser("python -m app.serving", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    config = commands.add_parser("config", help="print a configuration for a number of GPUs")
    config.add_argument(
        "--gpus", type=int, default=0, choices=range(65), metavar="N", help="0 to 64 (default: 0)"
    )
    args = parser.parse_args(argv)
    print(yaml.dump(serve_config(args.gpus), Dumper=_Plain, sort_keys=False), end="")
    return 0


class _Plain(yaml.SafeDumper):
    """Writes repeated values out, as people do, instead of referring to the first."""

    def ignore_aliases(self, data: object) -> bool:
        """Return True for everything."""
        return True


if __name__ == "__main__":
    sys.exit(main())
