"""What the documents claim: links resolve, figures come from kept results, commands parse."""

import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest

from benchmarks import figures, kept, protocols, worlds
from benchmarks.ablations import __main__ as ablations
from common import config as command
from docs import build

ROOT = Path(__file__).resolve().parent.parent


def ours(path: Path) -> bool:
    """Whether a path is of the repository, not in a folder that tools and runs make."""
    return not any(
        part.startswith(".") or part in ("runs", "build", "dist", "node_modules")
        for part in path.relative_to(ROOT).parts
    )


PAGES = sorted(filter(ours, ROOT.rglob("*.md")))
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
SYMBOL = re.compile(r"\[`(\w+)`\]\(([^)]+\.py)\)")
BLOCK = re.compile(r"```(?:bash|console|sh)\n(.*?)```", re.DOTALL)
OPENING = ("Requirements", "Model", "API", "Data", "Evaluation")


def commands(page: Path) -> list[str]:
    """Give the command lines of a page's shell blocks, continuations joined."""
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line.split("  #")[0].strip() for line in lines if line.strip() and line[0] != "#"]


@pytest.mark.parametrize(
    "page", [*PAGES, ROOT / "llms.txt"], ids=lambda page: str(page.relative_to(ROOT))
)
def test_links_resolve(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if target.startswith(("http://", "https://", "mailto:", "#")):
            continue
        path = (page.parent / target.split("#")[0]).resolve()
        assert path.exists(), f"{page}: {target} leads nowhere"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_parse(page: Path) -> None:
    """Every `python -m` of a page names a module, and a train command's flags are known."""
    for line in commands(page):
        words = shlex.split(line.split("|")[0].split("&&")[-1])
        if words[:2] != ["python", "-m"]:
            continue
        module, flags = words[2], words[3:]
        assert (ROOT / module.replace(".", "/")).with_suffix(".py").exists() or (
            ROOT / module.replace(".", "/") / "__main__.py"
        ).exists(), f"{page}: python -m {module} does not exist"
        if module.endswith(".train"):
            _parse(module, [flag for flag in flags if flag != "&"])


def _parse(module: str, flags: list[str]) -> None:
    package = module.removesuffix(".train")
    if not (ROOT / package.replace(".", "/") / "config.py").exists():  # a pattern of several tasks
        task = flags.pop(0) if flags and not flags[0].startswith("-") else "classification"
        package = f"{package}.{task}"
    presets = import_module(f"{package}.config").PRESETS
    command.parse(presets, description="", argv=flags)


@pytest.mark.parametrize(("name", "made"), [("AGENTS.md", build.agents), ("llms.txt", build.llms)])
def test_pages_for_agents_come_from_the_documents(name, made) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == made(), "run python -m docs.build"


def test_llms_txt_has_its_form_and_names_every_page() -> None:
    heading, empty, summary, *rest = build.llms().splitlines()
    assert heading.startswith("# ") and not empty and summary.startswith("> ")
    lines = [line for line in rest if line]
    assert all(re.fullmatch(r"## .+|- \[.+\]\(.+\): .+[.?]", line) for line in lines), lines
    linked = {ROOT / target for target in LINK.findall("\n".join(lines))}
    left_out = {ROOT / name for name in ("README.md", "AGENTS.md", "CHANGELOG.md")}
    assert linked == set(PAGES) - left_out


@pytest.mark.parametrize(("name", "source"), [("protocols", protocols), ("worlds", worlds)])
def test_blocks_of_the_recommender_come_from_kept_runs(name, source) -> None:
    begin, end = figures.markers(name)
    block = source.README.read_text(encoding="utf-8").split(begin)[1].split(end)[0]
    assert block.strip() == source.markdown(source.read()).strip()


@pytest.mark.parametrize("pattern", sorted({each.pattern for each in ablations.ABLATIONS.values()}))
def test_ablations_come_from_kept_runs(pattern: str) -> None:
    begin, end = figures.markers(ablations.BLOCK)
    text = ablations.readme_of(pattern).read_text(encoding="utf-8")
    assert text.split(begin)[1].split(end)[0].strip() == ablations.markdown(pattern)


@pytest.mark.parametrize("name", figures.COMMANDS)
def test_figures_come_from_a_kept_run(name: str) -> None:
    readme, block = figures.page_of(name)
    begin, end = figures.markers(block)
    block = readme.read_text(encoding="utf-8").split(begin)[1].split(end)[0]
    assert block.strip() == figures.markdown(kept.read(name)).strip()


def test_the_front_page_comes_from_kept_runs() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.split(figures.BEGIN)[1].split(figures.END)[0].strip() == figures.summary()


@pytest.mark.parametrize("name", figures.COMMANDS)
def test_a_kept_run_names_what_serves_and_the_baseline_comes_first(name: str) -> None:
    metrics = kept.read(name)["metrics"]
    headline = metrics["tables"][0]
    assert metrics["metric"] in headline["columns"]
    assert [row["name"] for row in headline["rows"]].count(metrics["served"]) == 1
    assert [row["baseline"] for row in headline["rows"]].index(True) == 0


def test_a_table_marks_the_baseline_and_what_serves() -> None:
    rows = [{"name": name, "baseline": name == "a", "values": {"x": 0.5}} for name in "ab"]
    table = {"columns": ["x"], "rows": rows}
    names = [line.split(" | ")[0] for line in figures.table_markdown(table, served="b")[2:]]
    assert names == ["| a (baseline)", "| b (served)"]
    assert figures.table_markdown(table, served="a")[2].startswith("| a (baseline, served) |")
    assert figures.table_markdown(table)[3].startswith("| b | ")


def test_a_stage_over_its_budget_is_marked() -> None:
    times = {"p50_ms": 1.0, "p95_ms": 2.0, "p99_ms": 3.0}
    stages = [{**times, "stage": str(most), "budget_ms": most, "within_budget": most > 3}
              for most in (2, 5)]  # fmt: skip
    assert figures._latency(stages)[2:] == [
        "| 2 | 1.00 | 2.00 | 3.00 OVER | 2 |", "| 5 | 1.00 | 2.00 | 3.00 | 5 |",
    ]  # fmt: skip


@pytest.mark.parametrize("name", figures.SPEED)
def test_benchmark_tables_come_from_kept_results(name: str) -> None:
    begin, end = figures.markers(name)
    text = figures.README.read_text(encoding="utf-8")
    assert text.split(begin)[1].split(end)[0].strip() == figures.markdown(kept.read(name))


@pytest.mark.parametrize("name", figures.COMMANDS)
def test_readme_is_a_design_document(name: str) -> None:
    text = figures.page_of(name)[0].read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    places = [headings.index(heading) for heading in OPENING]
    assert places == sorted(places), f"{name}: {headings}"


def test_nothing_of_one_machine_or_session() -> None:
    hosts = ["pypi" + ".org", "python" + "hosted", "/" + "work/", "/" + "root/"]
    for path in [*PAGES, *ROOT.glob("*.toml"), *ROOT.glob("Makefile"), *ROOT.glob("*/**/*.py")]:
        if not ours(path):
            continue
        text = path.read_text(encoding="utf-8")
        assert not [host for host in hosts if host in text], path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_symbol_is_in_the_file_that_it_links_to(page: Path) -> None:
    """A link in code type names its file, the folder of it, or what the file defines."""
    for symbol, target in SYMBOL.findall(page.read_text(encoding="utf-8")):
        path = (page.parent / target).resolve()
        if symbol not in (path.stem, path.parent.name):
            defined = rf"^\s*(class |def )?{symbol}\b\s*[(:=]"
            source = path.read_text(encoding="utf-8")
            assert re.search(defined, source, re.MULTILINE), (symbol, target)


def test_concepts_name_symbols() -> None:
    assert len(SYMBOL.findall((ROOT / "docs" / "CONCEPTS.md").read_text(encoding="utf-8"))) > 30
