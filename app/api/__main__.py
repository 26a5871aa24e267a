"""`python -m app.api key NAME`: makes an API key, and the entry of the settings that lets it in."""

import argparse
import sys
from collections.abc import Sequence

import yaml
from pydantic import ValidationError

from app.api.keys import KeyConfig, key_hash, make_key


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser("python -m app.api", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("key", help="print a new key once, and its entry for api.keys")
    make.add_argument("name", help="whose key: small letters, digits, - and _")
    make.add_argument("--max-sessions", type=int, default=4, help="at once (default: 4)")
    args = parser.parse_args(argv)
    key = make_key()
    try:
        entry = KeyConfig(name=args.name, sha256=key_hash(key), max_sessions=args.max_sessions)
    except ValidationError as error:
        print(f"app.api: {error.errors()[0]['msg']}", file=sys.stderr)
        return 1
    print(f"Key, shown this once: {key}")
    print("Under api.keys in the application's args:")
    print(yaml.safe_dump([entry.model_dump()], sort_keys=False), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
