"""Figures in sentences: rendered from kept results like those in tables.

A figure in a Markdown page is followed by a comment, which no viewer shows, that says where it is
kept: `.344<!-- recsys / quality / + ranking / NDCG@10 -->`. It is written again as it was written:
with its decimals, its sign, per cent, an interval, or a word of `SHARES`. In the comment stands

    recsys / quality / + ranking / NDCG@10    the run, then table, row and column of its JSON
    recsys config / reranking / ndcg_budget   a default of a pattern's configuration
    ratio: A; B                               A / B; also difference (A - B), gain (A / B - 1), cut
                                              (1 - A / B) and, of one path, minus (-A)
    given: arithmetic                         nothing measured: a word of `GIVEN` says what else

The second path may leave out what it has in common with the first, at its front. A row or table
may be named by its beginning if no other one has the same. `unproven` finds the figures of a page
that look measured and have no such comment.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.kept import RESULTS, ROOT, read, result_path
from common.atomic import write_text

GIVEN = ("arithmetic", "assumption", "data", "requirement", "setting", "source")
ASKING = ("Requirements", "In an interview")  # sections that ask and plan, and tell no result

SHARES = {
    "half": 1 / 2,
    "a third": 1 / 3,
    "two thirds": 2 / 3,
    "a quarter": 1 / 4,
    "three quarters": 3 / 4,
    "a fifth": 1 / 5,
    "a sixth": 1 / 6,
    "an eighth": 1 / 8,
    "a tenth": 1 / 10,
    "a sixteenth": 1 / 16,
    "a hundredth": 1 / 100,
    "twice": 2.0,
    "three times": 3.0,
    "four times": 4.0,
    "five times": 5.0,
    "ten times": 10.0,
}
NEAR = 0.1  # how far a word may be from its value, as a share of it

NUMBER = r"[+-]?(?:\d[\d,]*(?:\.\d+)?|\.\d+)"
_SHARE = "|".join(re.escape(word).replace(r"\ ", r"\s+") for word in SHARES)
_UNIT = r"(?:ms|milliseconds?|s|seconds?|minutes?|[KMGT]i?B|bytes)"
TOLD = re.compile(
    rf"(?P<figure>(?<![\w.−]){NUMBER}(?:\s?%|\s{_UNIT})?(?:\s\[{NUMBER},\s{NUMBER}\])?"
    rf"|\b(?:{_SHARE}))"
    r"(?P<comment><!--\s+(?P<path>(?:(?!-->).)*?)\s+-->)",
    re.IGNORECASE | re.DOTALL,
)
# all comments of a page but the markers of blocks
COMMENT = re.compile(r"<!--(?!\s+figures:)\s*(.*?)\s*-->", re.DOTALL)

_FEW = r"(?:two|three|four|five|six|seven|eight|nine|ten|some|few|several|tens of|hundreds of)"
_PART = r"(?:third|quarter|fifth|sixth|seventh|eighth|ninth|tenth|sixteenth|hundredth|thousandth)s?"
_MORE = r"(?:as|the|more|less|fewer|faster|slower|larger|smaller|longer|better|that|its)"
LOOKS_MEASURED = re.compile(
    "|".join(
        (
            r"(?<![\w.@^])\d*\.\d+(?![\w.])",  # decimals, not those of NDCG@.5 or score^.5
            r"\d\s?%",
            rf"(?:\d\s?|\b{_FEW}\s|\ba\s(?=m)){_UNIT}\b(?!\s(?:ago|later))",
            r"\b(?:\d[\d,]*|hundreds|thousands)(?:\s\w+){0,3}\s(?:a|per)\ssecond\b",
            r"\bhalf\b(?!-)",
            rf"\b(?:an?|one|{_FEW})\s{_PART}\b",
            rf"\b(?:twice|double|triple|(?:{_FEW}|\d+)\stimes)\s{_MORE}\b",
        )
    ),
    re.IGNORECASE,
)


def pages() -> list[Path]:
    """Return the pages whose figures are rendered; a decision keeps the figures of its day."""
    places = ["README.md", "CONTRIBUTING.md", "benchmarks/README.md", "docs/*.md"]
    places += ["patterns/*/README.md", "patterns/*/*/README.md"]
    return [page for place in places for page in sorted(ROOT.glob(place))]


def render_pages() -> None:
    """Write every page anew where a figure of its sentences is not what is kept."""
    for page in pages():
        text = page.read_text(encoding="utf-8")
        try:
            rendered = render(text)
        except ValueError as error:
            raise SystemExit(f"{page.relative_to(ROOT)}: {error}") from None
        if rendered != text:
            write_text(page, rendered)


def render(text: str) -> str:
    """Return a page with every figure that names its place as the kept results have it.

    Raises ValueError for a comment that follows no figure or names nothing that is kept.
    """
    if lost := COMMENT.search(TOLD.sub("", text)):
        raise ValueError(f"no figure, or word of SHARES, stands right before '{lost[1]}'")
    return TOLD.sub(lambda told: _figure(told["figure"], told["path"]) + told["comment"], text)


def unproven(text: str) -> list[str]:
    """Return the phrases of a page that look measured and say neither where from nor why not.

    Code, blocks of figures, targets of links and the sections of `ASKING` are not looked at.
    """
    for block in (
        r"<!-- figures:(\w+:)?begin -->.*?<!-- figures:(\w+:)?end -->",
        r"```.*?```",
        r"`[^`]*`",
        r"(?<=\])\([^)]*\)",
    ):
        text = re.sub(block, "…", text, flags=re.DOTALL)
    sections = re.split(r"^(?=#)", TOLD.sub("…", text), flags=re.MULTILINE)
    told = "".join(each for each in sections if not each.lstrip("# ").startswith(ASKING))
    return [
        " ".join(told[max(0, found.start() - 40) : found.end() + 20].split())
        for found in LOOKS_MEASURED.finditer(told)
    ]


def value(path: str) -> tuple[float, ...]:
    """Return what a comment names: the figure, and the ends of its interval if it has one."""
    operation, _, rest = path.partition(": ")
    if operation not in OPERATIONS:
        return _kept(path)
    first, *others = (each.strip().split(" / ") for each in rest.split(";"))
    paths = [first, *(first[: -len(each)] + each for each in others)]
    figures = [_kept(" / ".join(each))[0] for each in paths]
    try:
        return (OPERATIONS[operation](*figures),)
    except TypeError:
        raise ValueError(f"'{path}': {operation} does not take {len(figures)} figures") from None


OPERATIONS: Mapping[str, Callable[..., float]] = {
    "ratio": lambda a, b: a / b,
    "difference": lambda a, b: a - b,
    "gain": lambda a, b: a / b - 1,
    "cut": lambda a, b: 1 - a / b,
    "minus": lambda a: -a,
}


def _figure(written: str, path: str) -> str:
    path = " ".join(path.split())
    if path.startswith("given: "):
        if path.removeprefix("given: ") not in GIVEN:
            raise ValueError(f"'{path}': what is given is one of {', '.join(GIVEN)}")
        return written
    found = value(path)
    if not re.search(r"\d", written):
        return _word(written, found[0], path)
    wanted = re.findall(NUMBER, written)
    if len(wanted) > len(found):
        raise ValueError(f"'{path}' has no interval")
    scale = 100 if "%" in written else 1
    numbers = iter([_like(old, scale * new) for old, new in zip(wanted, found, strict=False)])
    return re.sub(NUMBER, lambda _: next(numbers), written)


def _like(written: str, number: float) -> str:
    """Return `number` with the decimals, sign, commas and leading zero of what was written."""
    decimals = len(written.partition(".")[2])
    sign = "+" if written[0] == "+" else ""
    comma = "," if "," in written else ""
    text = f"{number:{sign}{comma}.{decimals}f}"
    return re.sub(r"^([+-]?)0\.", r"\1.", text) if re.match(r"[+-]?\.", written) else text


def _word(written: str, number: float, path: str) -> str:
    word = min(SHARES, key=lambda each: abs(SHARES[each] - number) / SHARES[each])
    if abs(SHARES[word] - number) > NEAR * number:
        raise ValueError(f"'{path}' is {number:.4g}, which no word is near to: write digits")
    if word == " ".join(written.lower().split()):
        return written
    return word.capitalize() if written[0].isupper() else word


@cache
def _kept(path: str) -> tuple[float, ...]:
    name, *parts = path.split(" / ")
    node = _default(name.removesuffix(" config")) if name.endswith(" config") else _result(name)
    while parts:
        try:
            node, parts = _step(node, parts)
        except (LookupError, AttributeError):
            raise ValueError(f"'{path}': no {parts[0]!r} is kept, or more than one") from None
    if isinstance(node, dict) and "value" in node:
        return node["value"], node["low"], node["high"]
    if isinstance(node, str) and (number := re.search(NUMBER, node)):
        share = 100 if node[number.end() :].lstrip().startswith("%") else 1
        return (float(number[0].replace(",", "")) / share,)
    if isinstance(node, int | float):
        return (float(node),)
    raise ValueError(f"'{path}' is not a figure")


def _step(node: Any, parts: list[str]) -> tuple[Any, list[str]]:
    """Return what the first of the parts names, and the parts that are left.

    Raises LookupError or AttributeError if nothing is called so.
    """
    name, *rest = parts
    if isinstance(node, list):
        return _named(node, name, rest)
    if not isinstance(node, dict):
        return getattr(node, name), rest
    if name in node:
        return node[name], rest
    inner = [key for key in ("metrics", "tables", "rows", "values") if key in node]
    return node[inner[0]], parts


def _named(nodes: list[Any], name: str, rest: list[str]) -> tuple[Any, list[str]]:
    """Return the table, row or stage called `name`; rows of one name are told apart by a cell."""
    called = [(each.get("name", each.get("stage")), each) for each in nodes]
    same = [each for label, each in called if label == name]
    if len(same) > 1:
        cell, *rest = rest
        same = [each for each in same if cell in each["values"].values()]
    elif not same:
        same = [each for label, each in called if label.startswith(name)]
    if len(same) != 1:
        raise LookupError(name)
    return same[0], rest


def _result(name: str) -> Any:
    if not result_path(name).is_file():
        kept = ", ".join(sorted(path.stem for path in RESULTS.glob("*.json")))
        raise ValueError(f"no run called {name!r} is kept; there are {kept}")
    return read(name)


def _default(name: str) -> Any:
    return import_module(f"patterns.{name.replace('/', '.')}.config").DEFAULT
