"""Where the class folders of a data set lie, and which part of it they are.

    <class>/                        in the folder itself
    only/<class>/                   in the only folder of it that holds images
    train/<class>/, val/…, test/…   below a part; also seg_train/seg_train/<class>/

A class may be called train: a part is what has class folders inside. Two folders with folders of
the same names inside that are no parts, as images/ and masks/ of each class, are not guessed at.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from data.files.folders import checked_folder, folders, has_images, images_below, is_image
from data.files.lists import FOLDERS
from data.files.part_names import DRAWN, held_out, part_in, part_of

IMAGE_FOLDERS = ("images", "image", "imgs", "img", "jpegimages")


def class_roots(root: Path) -> tuple[dict[str, Path], list[str]]:
    """Return the folder above the class folders for each part, `DRAWN` alone where there is none.

    Also returns what is to be said. Of train/ and val/ without test/, val/ is the test.
    """
    inside = {
        name: above_classes(checked_folder(root / name)) for name in folders(checked_folder(root))
    }
    inside = {name: path for name, path in inside.items() if has_images(path)}
    parts = _parts(root, inside)
    if not parts:
        where, said = _without_parts(root, inside)
        return {DRAWN: where}, said + _unread_lists(root, where)
    said = [
        f"{name}/: its {sum(1 for _ in images_below(path)):,} images lie in no class folder of a "
        "part and were left out."
        for name, path in inside.items()
        if path not in parts.values()
    ]
    return parts, said + held_out(parts)


def above_classes(folder: Path) -> Path:
    """Return the folder, or the only one in it where that holds folders: EuroSAT/2750/River."""
    inside = folders(folder)
    if len(inside) == 1 and not any(map(is_image, folder.iterdir())):
        inner = above_classes(folder / inside[0])
        if class_folders(inner):
            return inner
    return folder


def class_folders(folder: Path) -> list[str]:
    """Return the names of the folders that hold images."""
    return [name for name in folders(folder) if has_images(folder / name)]


def no_class_folders(root: Path, found: int) -> ValueError:
    """Say that class folders are missing; a table that lies there is named."""
    near = sorted(each for place in (root, root.parent) for each in place.glob("*.csv"))
    tables = [each for each in near if "submission" not in each.name]
    may = [f"; {each} may be it, whose columns --data.file and --data.label name"
           for each in tables[:1]]  # fmt: skip
    return ValueError(
        f"{root}: {found} sub-folders with images; each class needs one, and two classes are "
        "needed. Sort the images into them, or give a table of labels by --data.labels"
        f"{''.join(may)}."
    )


def _parts(root: Path, inside: Mapping[str, Path]) -> dict[str, Path]:
    """Return the folders of parts among those `inside`, by their names; empty without train."""
    named = {name: part_of(name) or (part_in(name) if class_folders(path) else None)
             for name, path in inside.items()}  # fmt: skip
    train = next((name for name, part in named.items() if part == "train"), None)
    if train is None or (part_of(train) is None and len({*named.values()} - {None}) < 2):
        return {}  # a word alone is no part: train_station/ beside airport/
    if all(named.values()) and not class_folders(inside[train]):
        raise no_class_folders(root / train, 0)
    parts: dict[str, Path] = {}
    classes = set(class_folders(inside[train]))
    for name, path in inside.items():
        part = named[name]
        strange = part is None and (not classes or classes & set(class_folders(path)))
        if strange or (class_folders(path) and part in parts):
            raise ValueError(
                f"{root}: {name!r} lies beside {train!r}. If {train!r} is a class too, give "
                f"--data.train {root}; else give the parts one by one, or move the folder away."
            )
        if part is not None and classes & set(class_folders(path)):
            parts[part] = path
    return parts


def _without_parts(root: Path, inside: Mapping[str, Path]) -> tuple[Path, list[str]]:
    """Return the folder above the class folders: this, or the only one in it that has any."""
    if len(inside) == 1:
        path = next(iter(inside.values()))
        if len(class_folders(path)) > 1:
            left = "; what lies beside it holds no images" if len(folders(root)) > 1 else ""
            return path, [f"The classes are the folders in {path.relative_to(root)}/{left}."]
    trees = [set(class_folders(path)) for path in inside.values()]
    shared = set.intersection(*trees) if len(trees) > 1 else set()
    if len(shared) > 1:
        one, other = list(inside)[:2]
        raise ValueError(
            f"{root}: {one}/ and {other}/ hold folders of the same names "
            f"({', '.join(sorted(shared)[:3])}). If these are the classes, give --data.path "
            f"{inside[one]}, or one for each of --data.train and --data.test; if {one!r} is a "
            f"class, give --data.train {root}."
        )
    return root, []


def _unread_lists(root: Path, classes: Path) -> list[str]:
    """Name tables near the class folders, and lists that look like a split: neither is read."""
    near = {root, classes.parent} if classes.name.lower() in IMAGE_FOLDERS else {root}
    near |= {place / name for place in near for name in FOLDERS if (place / name).is_dir()}
    files = sorted(file for place in near for file in place.iterdir() if file.is_file())
    found = [file.name for file in files if file.suffix == ".csv" or file.suffix == ".txt"
             and (part_in(file.stem) or "split" in file.stem.lower())]  # fmt: skip
    if not found:
        return []
    return [f"{', '.join(found[:3])} may hold labels or a split and was not read: give a table by "
            "--data.labels (with a column split), or lists of images by --data.train and "
            "--data.test."]  # fmt: skip
