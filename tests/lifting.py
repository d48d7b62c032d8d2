"""Take a pattern's stages out of the house, as a reader would who needs one of them elsewhere.

`copy_stages` copies `stages/` and `entities/` of a pattern and the modules of `common` that they
name, and nothing else; `run_lifted` runs a script beside that copy alone.
"""

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OURS = ("benchmarks", "common", "data", "patterns")
CAME_FROM_HERE = f"""
import os, sys
for name, module in list(sys.modules.items()):
    if name.split(".")[0] in {OURS!r}:
        assert os.path.realpath(module.__file__).startswith(os.path.realpath(".")), module
"""


def copy_stages(pattern: str, folder: Path) -> None:
    """Copy the stages of `pattern` ("fraud", "nlp/classification") into `folder`.

    Raises `AssertionError` where they import more of ours than `common`, their own pattern's
    `stages` and `entities`; imports for types and inside functions count.
    """
    home = ROOT / "patterns" / pattern
    parts = [home / part for part in ("stages", "entities") if (home / part).is_dir()]
    waiting = [path for part in parts for path in sorted(part.rglob("*.py"))]
    assert waiting, f"{home} has no stages"
    taken: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path in taken:
            continue
        taken.add(path)
        waiting += _packages_above(path)
        for module in _imports(path):
            found = _file_of(module)
            inside = any(found.is_relative_to(part) for part in (*parts, ROOT / "common"))
            assert inside, f"{path.relative_to(ROOT)} imports {module}"
            waiting.append(found)
    for path in taken:
        target = folder / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def run_lifted(folder: Path, script: str) -> str:
    """Run `script` in a process of its own at `folder` and return what it printed.

    Raises `AssertionError` where it fails, or where a module of ours came from anywhere else (an
    editable install would lend what was not copied).
    """
    done = subprocess.run(
        [sys.executable, "-c", script + CAME_FROM_HERE],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def _imports(path: Path) -> Iterator[str]:
    """Yield the modules of ours that a file names, wherever the import stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if _file_of(name).exists() else node.module or "" for name in inner]
        yield from (name for name in names if name.split(".")[0] in OURS)


def _file_of(module: str) -> Path:
    """Return where a module's source stands, or would."""
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _packages_above(path: Path) -> list[Path]:
    """Return the `__init__.py` of every package around a file."""
    above = path.relative_to(ROOT).parents
    inits = [ROOT / parent / "__init__.py" for parent in above if parent != Path(".")]
    return [init for init in inits if init.exists()]
