"""The datasets from the command line: list, describe, fetch and verify them.

    python -m data list              every dataset with size, licence and location
    python -m data info NAME         its card: files, checksums, licence, citation
    python -m data fetch NAME …      fetch and verify (cache, then mirror, then official)
    python -m data verify NAME …     read every file again and check it against its card

`fetch all` and `verify all` take every public dataset. The exit status is 1 if anything is
missing or wrong.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from data import cache, download, registry
from data.cards import Card
from data.progress import megabytes, say


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and give its exit status."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "list":
            return _list()
        if options.command == "info":
            return _info(registry.card(options.name))
        cards = _cards(options.names)
        if options.command == "fetch":
            return max(_fetch(card, options.form) for card in cards)
        return max(_verify(card) for card in cards)
    except ValueError as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        say("interrupted; the next fetch continues from here")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m data",
        description="List, fetch and verify the public datasets.",
        epilog="environment: ML_PATTERNS_HOME (cache folder), ML_PATTERNS_MIRROR (folder or URL "
        "laid out like the cache), ML_PATTERNS_OFFLINE=1 (never use the network)",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="every dataset with size, licence and location")
    info = commands.add_parser("info", help="the card of a dataset")
    info.add_argument("name", help="a public dataset")
    fetch = commands.add_parser("fetch", help="fetch into the cache and verify")
    fetch.add_argument("names", nargs="+", metavar="NAME", help="public datasets, or all")
    fetch.add_argument("--form", help="which form, if there are several (see info)")
    verify = commands.add_parser("verify", help="read every file again and check it")
    verify.add_argument("names", nargs="+", metavar="NAME", help="public datasets, or all")
    return parser


def _cards(names: Sequence[str]) -> list[Card]:
    chosen = registry.PUBLIC_NAMES if "all" in names else names
    return [registry.card(name) for name in chosen]


def _list() -> int:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("dataset", "task", "size", "where", "licence"):
        table.add_column(column, no_wrap=True, justify="right" if column == "size" else "left")
    for name in registry.PUBLIC_NAMES:
        card = registry.card(name)
        size = megabytes(card.bytes) if card.bytes else "-"
        table.add_row(name, card.task, size, download.where(card), card.licence)
    for name in registry.SIMULATED_NAMES:
        table.add_row(name, registry.SIMULATED_TASKS[name], "-", "made here", "Apache-2.0")
    console = Console() if sys.stdout.isatty() else Console(width=120)
    console.print(table)
    console.print(f"\ncache   {cache.home()}", soft_wrap=True)
    mirror = download.mirror_url() or download.mirror_folder()
    console.print(f"mirror  {mirror or 'none (ML_PATTERNS_MIRROR)'}", soft_wrap=True)
    return 0


def _info(card: Card) -> int:
    rows = [
        ("dataset", card.name),
        ("title", card.title),
        ("task", card.task),
        ("homepage", card.homepage),
        ("licence", card.licence),
        ("restriction", card.restriction or ""),
        ("citation", card.citation),
        ("published", ", ".join(f"{key} {count:,}" for key, count in card.published.items())),
        ("where", download.where(card)),
        ("remedy", card.remedy),
    ]
    for form in card.forms:
        rows.append(("form", f"{form.name}. {form.note}".strip()))
        for file in form.files:
            urls = file.urls or (file.archive.urls if file.archive else ("mirror only",))
            rows.append(("  file", f"{card.folder}/{file.name}  {megabytes(file.bytes)}"))
            rows.append(("  sha256", file.sha256 or "none published"))
            rows.append(("  from", urls[0]))
    _print(rows)
    return 0


def _fetch(card: Card, form: str | None) -> int:
    if not card.forms:
        if form is not None:
            say(f"error: form: {card.name} is bundled with the install and has no forms; drop it")
            return 1
        _print([(card.name, "bundled with the install")])
        return 0
    try:
        fetched = download.fetch(card, form=form)
    except ValueError as error:
        say(f"error: {error}")
        return 1
    count = len(fetched.paths)
    what = f"{count} file{'s' if count > 1 else ''} verified, form {fetched.form.name}"
    _print([(card.name, f"{fetched.origin}, {what}")])
    return 0


def _verify(card: Card) -> int:
    """Read all files of the dataset that are on disk again, even those verified before."""
    status = 0
    checked: set[Path] = set()
    for root in filter(None, (cache.home(), download.mirror_folder())):
        for file in (file for form in card.forms for file in form.files):
            path = root / card.folder / file.name
            if path in checked or not path.is_file():
                continue
            checked.add(path)
            try:
                digest = cache.verify(path, file, again=True)
                _print([(card.name, f"sound  {digest[:12]}…  {path}")])
            except ValueError as error:
                say(f"error: {card.name}: {error}")
                status = 1
    if not checked and card.forms:
        say(f"error: {card.name}: no file in the cache or on the mirror; fetch it first.")
        status = 1
    return status


def _print(rows: Sequence[tuple[str, str]]) -> None:
    for key, value in rows:
        if value:
            sys.stdout.write(f"{key:24s} {value}\n")


if __name__ == "__main__":
    from common import exits

    with exits.one_line():
        sys.exit(main())
