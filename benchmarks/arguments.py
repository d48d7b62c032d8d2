"""The command line of the benchmarks that run what is named, all where nothing is named."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Sequence

from common import console


def chosen(
    arguments: Sequence[str],
    *,
    command: str,
    about: str | None,
    known: Collection[str],
    smoke: bool = False,
) -> argparse.Namespace:
    """Return `names`, all `known` ones where none is given, and `render`, and `smoke` if asked for.

    Ends with one line and exit code 2 where a name is not known.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m {command}",
        description=about,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    parser.add_argument("--render", action="store_true", help="only rewrite what readers see")
    if smoke:
        parser.add_argument("--smoke", action="store_true", help="run small; keep nothing")
    found = parser.parse_args(arguments)
    unknown = [name for name in found.names if name not in known]
    if unknown:
        console.error(f"{unknown[0]!r} is not known; name some of {', '.join(known)}")
        raise SystemExit(2)
    found.names = found.names or list(known)
    return found
