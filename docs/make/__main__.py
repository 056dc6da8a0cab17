"""``python -m docs.make [--check]``."""

from __future__ import annotations

import argparse
import sys

from docs.make.book import check, write


def main() -> int:
    """Write every page and picture, or say which pages are not what the code says."""
    parser = argparse.ArgumentParser(prog="python -m docs.make", description=main.__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 on a change")
    if not parser.parse_args().check:
        print(f"{write()} files written")
        return 0
    found = check()
    for line in found:
        print(line, file=sys.stderr)
    if found:
        print("run: python -m docs.make", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
