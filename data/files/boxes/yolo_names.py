"""What describes a YOLO folder: data.yaml, else classes.txt or a .names file, else nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data.files.boxes.places import NAMES
from data.files.folders import entered
from data.files.part_names import part_of

YAML = (".yaml", ".yml")


@dataclass(frozen=True)
class Description:
    """Names of the classes by number, and the folders or lists of each part."""

    classes: Mapping[int, str] | None = None
    parts: Mapping[str, list[Path]] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    pose: bool = False
    """The rows go on with key points behind the box."""


def described(path: Path, root: Path) -> Description:
    """Read the description that `path` is, or that lies in `root`."""
    if path.is_file():
        return _from_yaml(path, root)
    for folder in dict.fromkeys((root, entered(root, NAMES))):
        files = sorted(each for each in folder.iterdir() if each.is_file())
        for file in files:
            if file.suffix.lower() in YAML and "names" in _yaml(file):
                return _from_yaml(file, folder)
        lists = [file for file in files if file.suffix == ".names" or file.name == "classes.txt"]
        inner = [folder / name / "classes.txt" for name in ("labels", "obj_train_data")]
        for file in [*lists, *filter(Path.is_file, inner)]:
            names = file.read_text(encoding="utf-8-sig").splitlines()
            return Description(_checked(dict(enumerate(filter(None, map(str.strip, names)))), file))
    return Description()


def _from_yaml(file: Path, root: Path) -> Description:
    """Take the classes and the parts that are there."""
    content = _yaml(file)
    names = content.get("names")
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict) or not names:
        raise ValueError(
            f"{file}: names is {names!r}, not a list of the classes. Write names: [cat, dog]."
        )
    try:
        classes = {int(number): str(name).strip() for number, name in names.items()}
    except (TypeError, ValueError):
        raise ValueError(
            f"{file}: the keys of names are not whole numbers. Correct them."
        ) from None
    count = content.get("nc")
    if count is not None and count != len(classes):
        raise ValueError(f"{file}: nc is {count}, but names has {len(classes)}. Make them equal.")
    parts, absent = _parts(content, file, root)
    notices = []
    if absent:
        notices.append(f"{file.name} names {', '.join(absent)}, which is not there; the folders "
                       "were found by their usual names.")  # fmt: skip
    return Description(_checked(classes, file), parts, tuple(notices), "kpt_shape" in content)


def _parts(
    content: Mapping[str, Any], file: Path, root: Path
) -> tuple[dict[str, list[Path]], list[str]]:
    """Return the folders or lists of each part; none where one of them is not there."""
    parts: dict[str, list[Path]] = {}
    absent = []
    bases = [root, file.parent]
    if content.get("path"):
        bases[:0] = [file.parent / str(content["path"])]
    for key, value in content.items():
        part = part_of(str(key))
        if part is None or not value:
            continue
        for each in value if isinstance(value, list) else [value]:
            there = _there(str(each).replace("\\", "/"), bases)
            if there is None:
                absent.append(f"{key}: {each}")
            else:
                parts.setdefault(part, []).append(there)
    only_test_lacks = bool(absent) and all(each.startswith("test") for each in absent)
    return ({}, absent) if absent and not only_test_lacks else (parts, [])


def _there(value: str, bases: list[Path]) -> Path | None:
    """Find a path below one of `bases`; Roboflow writes ../train/images where train/images is."""
    bare = value
    while bare.startswith(("../", "./")):
        bare = bare.partition("/")[2]
    options = [base / each for each in (value, bare) for base in bases]
    return next((option for option in options if option.exists()), None)


def _checked(classes: dict[int, str], file: Path) -> dict[int, str]:
    names = list(classes.values())
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"{file}: two classes are called {twice[0]!r}. Give each its own name.")
    return classes


def _yaml(file: Path) -> dict[str, Any]:
    import yaml

    try:
        content = yaml.safe_load(file.read_bytes())
    except (yaml.YAMLError, ValueError) as error:
        said = " ".join(str(error).split())
        raise ValueError(f"{file}: not a readable .yaml file ({said}). Correct it.") from error
    return content if isinstance(content, dict) else {}
