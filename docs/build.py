"""Make `AGENTS.md` and `llms.txt` out of the documents: `python -m docs.build`.

`AGENTS.md` tells a coding agent how to work here: the commands and conventions of CONTRIBUTING.md
and the listing of README.md. `llms.txt` has the form of llmstxt.org: a title, a summary, and links
with a line about each, which is the first sentence of the page. A test builds both and compares.
"""

from __future__ import annotations

import re
from pathlib import Path

from common.atomic import write_text

ROOT = Path(__file__).resolve().parent.parent
LISTING = "Read one pattern and you know them all"  # the section of README.md
SECTIONS = {
    "Patterns": ("patterns/*/README.md", "patterns/*/*/README.md"),
    "Documents": ("docs/*.md", "CONTRIBUTING.md", "benchmarks/README.md"),
    "Decisions": ("docs/decisions/*.md",),
}
MADE = "<!-- Made by `python -m docs.build` from README.md and CONTRIBUTING.md. -->"


def main() -> None:
    """Write both files."""
    write_text(ROOT / "AGENTS.md", agents())
    write_text(ROOT / "llms.txt", llms())


def agents() -> str:
    """Return the text of `AGENTS.md`."""
    readme = read("README.md")
    name, rules = title(readme), read("CONTRIBUTING.md").split("\n", 1)[1].strip()
    listing = section(readme, LISTING)
    parts = (MADE, f"# Working in {name}", paragraphs(readme)[0], rules, f"## {LISTING}", listing)
    return "\n\n".join(parts) + "\n"


def llms() -> str:
    """Return the text of `llms.txt`."""
    readme = read("README.md")
    parts = [f"# {title(readme)}", "> " + one_line(paragraphs(readme)[0])]
    for heading, patterns in SECTIONS.items():
        pages = [page for pattern in patterns for page in sorted(ROOT.glob(pattern))]
        links = "\n".join(link(page.relative_to(ROOT).as_posix()) for page in pages)
        parts += [f"## {heading}", links]
    return "\n\n".join(parts) + "\n"


def link(page: str) -> str:
    """Return the line of a page: its title and what its first sentence says."""
    text = read(page)
    decided = [part for part in paragraphs(text) if part.startswith("**Decision.**")]
    lead = one_line((decided or paragraphs(text))[0])
    return f"- [{title(text)}]({page}): {re.split(r'(?<=[.?!]) (?=[A-Z`])', lead)[0]}"


def read(page: str) -> str:
    """Return the text of a page, named from the root."""
    return (ROOT / page).read_text(encoding="utf-8")


def title(text: str) -> str:
    """Return the heading of a page."""
    return text.split("\n", 1)[0].removeprefix("# ")


def section(text: str, heading: str) -> str:
    """Return what stands under a heading of the second level."""
    return text.split(f"\n## {heading}\n")[1].split("\n## ")[0].strip()


def paragraphs(text: str) -> list[str]:
    """Return the paragraphs of prose, in order: no heading, list, table, block or comment."""
    prose = re.sub(r"```.*?```|(?<=\S)<!--.*?-->", "", text, flags=re.DOTALL)
    parts = [part.strip() for part in prose.split("\n\n")]
    return [part for part in parts if part and part[0] not in "#-|<"]


def one_line(paragraph: str) -> str:
    """Return a paragraph as one line, its links as their words, without a label in bold."""
    words = re.sub(r"^\*\*[^*]+\*\*\s*", "", paragraph)
    return " ".join(re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", words).split())


if __name__ == "__main__":
    main()
