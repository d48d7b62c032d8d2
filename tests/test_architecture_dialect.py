"""One dialect: who knows one pattern finds the same names in the same places of the next.

The table in CONTRIBUTING.md, held by reading the source of every pattern: names, signatures, first
lines, the order of the console's stages. What differs between two patterns is their field.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from test_architecture import PIPELINES, ROOT, imports

FIRST_LINES = {
    "config": "Configuration of ",
    "data": "What a row, a label and leakage mean",
    "pipeline": "The boxes wired",
    "evaluate": "How good",
    "train": "Build, evaluate and save",
    "serve": "Artifact -> HTTP",
}
READS_DATA = ("import data\n", "import data.", "from data ", "from data.")  # slow: at run time only
ROOT_MODULES = 12  # of a pattern: the listing and its commands
TORCH = ("encoder", "features", "reader", "student")  # stages of text classification that load it
KEEPING = {"checkpoints", "resume"}
Function = ast.FunctionDef | ast.AsyncFunctionDef

each_pattern = pytest.mark.parametrize("name", PIPELINES)


def folder_of(name: str) -> Path:
    return ROOT / "patterns" / name


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(body: list[ast.stmt]) -> dict[str, Function]:
    return {node.name: node for node in body if isinstance(node, Function)}


def classes(tree: ast.Module) -> dict[str, ast.ClassDef]:
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


def fields(owner: ast.ClassDef) -> list[str]:
    return [ast.unparse(node.target) for node in owner.body if isinstance(node, ast.AnnAssign)]


def fields_of_type(owner: ast.ClassDef) -> dict[str, str]:
    made = [node for node in owner.body if isinstance(node, ast.AnnAssign)]
    return {ast.unparse(node.target): ast.unparse(node.annotation) for node in made}


def constants(tree: ast.Module) -> set[str]:
    targets = [t for node in tree.body if isinstance(node, ast.Assign) for t in node.targets]
    return {inner.id for t in targets for inner in ast.walk(t) if isinstance(inner, ast.Name)}


def positional(function: Function) -> list[str]:
    return [argument.arg for argument in function.args.posonlyargs + function.args.args]


def keywords(function: Function) -> set[str]:
    return {argument.arg for argument in function.args.kwonlyargs}


def returned(function: Function) -> str:
    return "" if function.returns is None else ast.unparse(function.returns)


def decorators(node: Function | ast.ClassDef) -> list[str]:
    return [ast.unparse(each) for each in node.decorator_list]


def stage_files(name: str) -> list[Path]:
    return sorted((folder_of(name) / "stages").rglob("*.py"))


def stage_classes(name: str) -> Iterator[tuple[Path, ast.ClassDef]]:
    for path in stage_files(name):
        for owner in classes(parsed(path)).values():
            if not any("Protocol" in ast.unparse(base) for base in owner.bases):
                yield path, owner


@each_pattern
@pytest.mark.parametrize("module", FIRST_LINES)
def test_first_lines(name: str, module: str) -> None:
    said = ast.get_docstring(parsed(folder_of(name) / f"{module}.py")) or ""
    assert said.startswith(FIRST_LINES[module]), said.splitlines()[0]


@each_pattern
def test_config(name: str) -> None:
    tree = parsed(folder_of(name) / "config.py")
    assert {"NAME", "DEFAULT", "PRESETS"} <= constants(tree)
    for owner in classes(tree).values():
        assert decorators(owner) == ["dataclass(frozen=True)"], owner.name
        assert owner.name == "Config" or owner.name.endswith("Options"), owner.name
    sections = fields(classes(tree)["Config"])
    known = [each for each in ("data", "world", "split") if each in sections]
    assert [each for each in sections if each in known] == known
    presets = next(
        n for n in tree.body if isinstance(n, ast.Assign) and "PRESETS" in ast.unparse(n)
    )
    assert isinstance(presets.value, ast.Dict)
    assert [ast.literal_eval(key) for key in presets.value.keys if key] == [
        "smoke",
        "default",
        "large",
    ]


@each_pattern
def test_data(name: str) -> None:
    tree = parsed(folder_of(name) / "data.py")
    assert {"PUBLIC", "OFFLINE"} <= constants(tree)
    made = functions(tree.body)
    assert positional(made["load"]) == ["config"]
    assert len(positional(made["split"])) == 2 and positional(made["split"])[1] == "config"
    assert not keywords(made["split"]) and returned(made["split"]) == "Splits"
    names = fields(classes(tree)["Splits"])
    assert {"source", "train", "valid", "test", "notices"} <= set(names), names
    parts = fields_of_type(classes(tree)["Splits"])
    assert len({parts[part] for part in ("train", "valid", "test")}) == 1
    assert parts["train"] not in classes(tree), "the type of a part stands in entities/"
    at_import = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert not [node for node in at_import if f"{ast.unparse(node)}\n".startswith(READS_DATA)]


@each_pattern
def test_pipeline(name: str) -> None:
    path = folder_of(name) / "pipeline.py"
    made = functions(classes(parsed(path))["Pipeline"].body)
    assert positional(made["from_config"]) == ["cls", "config", "splits"]
    assert positional(made["save"]) == ["self", "folder"]
    assert positional(made["load"]) == ["cls", "folder"]
    assert "classmethod" in decorators(made["load"]) and "classmethod" in decorators(
        made["from_config"]
    )
    assert positional(made["profile"]) == ["self", "splits"]
    fitted = [function for each, function in made.items() if each.startswith("fit_")]
    assert len(fitted) >= 2
    for function in fitted:
        assert positional(function) == ["self", "splits"], function.name
        assert keywords(function) <= KEEPING, function.name
        assert returned(function) in ("Pipeline", "Self"), function.name
    calls = [ast.unparse(n.func) for n in ast.walk(parsed(path)) if isinstance(n, ast.Call)]
    assert "Config" not in calls, "a pipeline invents no configuration"


@each_pattern
def test_stages_can_leave(name: str) -> None:
    package = f"patterns.{name.replace('/', '.')}"
    for path in [*stage_files(name), *(folder_of(name) / "entities").rglob("*.py")]:
        for imported in imports(path, run_time_only=False):
            inside = imported.startswith((f"{package}.stages", f"{package}.entities"))
            assert inside or imported.split(".")[0] == "common", f"{path}: {imported}"


@each_pattern
def test_stages_are_alike(name: str) -> None:
    for path, owner in stage_classes(name):
        where, made = f"{path.name}: {owner.name}", functions(owner.body)
        if "save" in made:
            assert positional(made["save"]) == ["self", "folder"], where
        if "load" in made:
            assert positional(made["load"]) == ["cls", "folder"], where
            assert "classmethod" in decorators(made["load"]), where
        if "fit" in made:
            assert returned(made["fit"]) in ("Self", owner.name), f"{where}: fit -> self"
        if "fit" in made and "__init__" in made:
            assert len(positional(made["__init__"])) == 1, f"{where}: settings are keywords"


@each_pattern
def test_a_stage_knows_no_command_line(name: str) -> None:
    """A message names the argument; the pipeline, who knows the configuration, adds the flag."""
    for path in stage_files(name):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Raise) and node.exc is not None:
                assert " --" not in ast.unparse(node.exc), f"{path.name}: {node.lineno}"


@each_pattern
def test_stages_are_imported_at_the_head(name: str) -> None:
    """Where they are wired; but a server of ONNX texts must not load torch."""
    for module in ("pipeline", "evaluate", "figures"):
        tree = parsed(folder_of(name) / f"{module}.py")
        late = {
            node.module
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.col_offset and node.module
        }
        inside = {each for each in late if each.startswith("patterns.")}
        stages = f"patterns.{name.replace('/', '.')}.stages"
        torch = {f"{stages}.{each}" for each in ("encoder", "features", "reader", "student")}
        assert inside <= (torch if name.startswith("nlp/") else set()), module


@each_pattern
def test_one_name_a_hyperparameter(name: str) -> None:
    """Stages say `trees`, `learning_rate`, `min_leaf_rows`: the library's names stay inside."""
    theirs = {"n_estimators", "num_leaves", "eta", "lr", "n_jobs", "random_state", "num_epochs"}
    theirs |= {"min_child_samples", "min_data_in_leaf", "num_iterations", "max_iter", "batch"}
    for path, owner in stage_classes(name):
        init = functions(owner.body).get("__init__")
        assert init is None or not keywords(init) & theirs, f"{path.name}: {owner.name}"


@each_pattern
def test_what_a_fit_found_ends_in_an_underscore(name: str) -> None:
    for path, owner in stage_classes(name):
        for each, function in functions(owner.body).items():
            if not each.startswith(("fit", "_fit")):
                continue
            stored = [
                node.attr
                for node in ast.walk(function)
                if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
                and ast.unparse(node.value) == "self"
            ]  # fmt: skip
            assert all(attribute.endswith("_") for attribute in stored), (path, each, stored)


@each_pattern
def test_evaluate(name: str) -> None:
    path = folder_of(name) / "evaluate.py"
    function = functions(parsed(path).body)["evaluate"]
    assert positional(function) == ["pipeline", "splits"] and not keywords(function)
    assert returned(function) == "Report"
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= (100 if (folder_of(name) / "evaluation").is_dir() else 250)


@each_pattern
def test_drawing_has_its_own_file(name: str) -> None:
    assert (folder_of(name) / "figures.py").is_file()
    assert (folder_of(name) / "examples.py").is_file()  # what is shown without being drawn
    for path in folder_of(name).rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert path.name == "figures.py" or "matplotlib" not in text, path


@each_pattern
def test_protocols(name: str) -> None:
    path = folder_of(name) / "protocols.py"
    chosen = "protocol" in fields(classes(parsed(folder_of(name) / "config.py"))["Config"])
    assert path.is_file() == chosen
    if chosen:
        run = functions(parsed(path).body)["run"]
        assert positional(run) == ["name", "table", "config"] and returned(run) == "list[Table]"


@each_pattern
def test_train(name: str) -> None:
    tree = parsed(folder_of(name) / "train.py")
    assert positional(functions(tree.body)["main"]) == ["config"]
    calls = sorted((n for n in ast.walk(tree) if isinstance(n, ast.Call)), key=lambda n: n.lineno)
    said = [ast.unparse(call.func) for call in calls]
    stages = [ast.unparse(c.args[0]) for c in calls if ast.unparse(c.func) == "console.stage"]
    stages = [each for each in stages if each != "config.protocol"]
    assert stages[0] == "'data'" and stages[-1] == "'evaluation'", stages
    order = ("load", "console.header", "split", "Pipeline.from_config", "evaluate")
    order += ("artifacts.save", "console.summary")
    assert [said.index(each) for each in order] == sorted(said.index(each) for each in order)
    assert "console.notice" not in said, "console.summary prints every notice"


@each_pattern
def test_serve(name: str) -> None:
    for owner in classes(parsed(folder_of(name) / "serve.py")).values():
        predict = functions(owner.body).get("predict")
        if predict is None:
            continue
        kind = ast.unparse(predict.args.args[1].annotation or ast.Constant(None))
        assert kind.startswith("Sequence[") and kind.endswith("Request]"), kind
        assert returned(predict).startswith("list[") and returned(predict).endswith("Response]")
        return
    raise AssertionError(f"{name}/serve.py has no service")


@each_pattern
def test_the_root_holds_the_listing_and_commands(name: str) -> None:
    modules = sorted(path.stem for path in folder_of(name).glob("*.py"))
    assert len(modules) <= ROOT_MODULES, modules


def test_one_name_a_concept() -> None:
    """Names that another one has replaced; each stood beside its better form once."""
    gone = ("NOTHING", "SIMULATED", "minimum_leaf", "Lessons", "check_range", "Legend:")
    for path in sorted((ROOT / "patterns").rglob("*.py")):
        names = {n.id for n in ast.walk(parsed(path)) if isinstance(n, ast.Name)}
        names |= {n.arg for n in ast.walk(parsed(path)) if isinstance(n, ast.arg)}
        assert not names & set(gone), (path, names & set(gone))
