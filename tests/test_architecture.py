"""The arrows between packages and the sizes of files, held by reading every module.

`common` imports nothing of ours outside itself, `data` only `common`; a pattern imports `common`,
`data` and itself; only a pattern's `data.py` imports `data` at run time; `serve.py` never reaches
`train.py` or a dataset. No module imports itself by way of others, not even for its types.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = ("benchmarks", "common", "data", "patterns")
FILES = sorted(path for package in OURS for path in (ROOT / package).rglob("*.py"))
EVERY = sorted([*FILES, *(ROOT / "docs").rglob("*.py"), *(ROOT / "tests").rglob("*.py")])
MOST_FILE_LINES, MOST_FUNCTION_LINES = 350, 50
LISTING = ("README.md", "__init__.py", "config.py", "data.py", "stages", "pipeline.py")
LISTING += ("evaluate.py", "train.py", "serve.py")
PIPELINES = (
    "recsys",
    "search_ranking",
    "fraud",
    "nlp/classification",
    "nlp/ner",
    "nlp/qa",
    "nlp/translation",
    "vision/classification",
    "vision/detection",
    "vision/segmentation",
)


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MAINS = [
    name_of(path)
    for path in FILES
    if name_of(path).startswith("patterns.")
    and "\nif __name__ ==" in path.read_text(encoding="utf-8")
]


def imports(path: Path, *, run_time_only: bool = True) -> Iterator[str]:
    """Yield the modules of ours that a file imports, those under TYPE_CHECKING left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if run_time_only and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            skipped.update(inner for child in node.body for inner in ast.walk(child))
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names = [node.module or ""]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] in OURS)


def pattern_of(module: str) -> str:
    return module.split(".")[1] if module.startswith("patterns.") else ""


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_arrows(path: Path) -> None:
    module = name_of(path)
    package = module.split(".")[0]
    for imported in imports(path):
        target = imported.split(".")[0]
        if package == "common":
            assert target == "common", f"{module} imports {imported}"
        if package == "data":
            assert target in ("common", "data"), f"{module} imports {imported}"
        if package == "patterns" and target == "patterns" and imported != "patterns":
            assert pattern_of(imported) == pattern_of(module), f"{module} imports {imported}"
        if package == "patterns" and target == "data":
            assert path.name == "data.py", f"{module} imports {imported}: only data.py may"
        if path.name == "serve.py":
            assert not imported.endswith((".train", ".data")), f"{module} imports {imported}"


def edges(path: Path, modules: set[str]) -> set[str]:
    """Return the modules of ours that a file names in any import, wherever it stands.

    `from package import name` is an edge to the submodule of that name, or else to the package.
    """
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {each if each in modules else node.module or "" for each in inner}
    return found & modules


def test_no_imports_run_in_circles() -> None:
    """Imports for types and inside functions count: a circle of names is one to a reader too."""
    modules = {name_of(path) for path in FILES}
    graph = {name_of(path): edges(path, modules) for path in FILES}
    assert sum(map(len, graph.values())) > 300
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as problem:
        pytest.fail(" <- ".join(problem.args[1]))


@pytest.mark.parametrize("name", PIPELINES)
def test_every_pattern_has_the_listing(name: str) -> None:
    missing = [each for each in LISTING if not (ROOT / "patterns" / name / each).exists()]
    assert not missing, f"patterns/{name} lacks {missing}"


@pytest.mark.parametrize("name", PIPELINES)
def test_train_is_a_table_of_contents(name: str) -> None:
    lines = (ROOT / "patterns" / name / "train.py").read_text(encoding="utf-8").splitlines()
    assert 40 <= len(lines) <= 120, f"{name}/train.py has {len(lines)} lines"


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Yield each function and its lines, from `def` to the end, what is nested in it included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield node.name, node.end_lineno - node.lineno + 1


def test_no_file_is_long() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in EVERY}
    long = {name_of(path): lines for path, lines in lengths.items() if lines > MOST_FILE_LINES}
    assert not long, f"over {MOST_FILE_LINES} lines: {long}"


def test_no_function_is_long() -> None:
    long = {
        f"{name_of(path)}.{name}": lines
        for path in EVERY
        for name, lines in functions(path)
        if lines > MOST_FUNCTION_LINES
    }
    assert not long, f"over {MOST_FUNCTION_LINES} lines: {long}"


def test_nothing_unpickles() -> None:
    banned = ("import pickle", "joblib.dump", "joblib.load", "allow_pickle=True", "torch.load(")
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        text = re.sub(r"torch\.load\(.*weights_only=True\)", "", text)  # reads tensors alone
        assert not [word for word in banned if word in text], path


def test_only_the_console_prints() -> None:
    for path in FILES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
        prints = [call for call in calls if isinstance(call, ast.Name) and call.id == "print"]
        allowed = name_of(path) in ("data.__main__", "data.download")
        assert allowed or not prints, f"{name_of(path)} prints; use common.console"


@pytest.mark.parametrize("main", [*MAINS, "data"])
def test_help_is_quick(main: str) -> None:
    """`--help` imports nothing heavy, which keeps it under a second on an idle machine."""
    heavy = ("torch", "sklearn", "faiss", "lightgbm", "xgboost", "transformers", "matplotlib")
    code = (
        "import runpy, sys\n"
        f"sys.argv = [{main!r}, '--help']\n"
        "try:\n"
        f"    runpy.run_module({main!r}, run_name='__main__', alter_sys=True)\n"
        "except SystemExit as stop:\n"
        "    assert not stop.code, stop.code\n"
        f"loaded = [name for name in {heavy!r} if name in sys.modules]\n"
        "assert not loaded, loaded\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert f"usage: python -m {main.split('.')[0]}" in done.stdout
