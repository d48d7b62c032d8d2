"""Which images train, choose and test: a split that was given is kept, what is missing is drawn.

Drawn parts have each class by its share. Images that belong together (frames of a video, photos of
one plant) are a group, and a group is never in two drawn parts: neighbours on both sides would make
the test a matter of memory. A group is told by the file's name.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Sequence

import numpy as np

from common.evaluation.splits import stratified_split
from data.files.faults import flag
from data.files.part_names import DRAWN

COUNTER = re.compile(r"[ _.()-]*\d+[ )]*$")  # what numbers the images of a series
PREFIX = "prefix"


def groups_by_name(names: Sequence[str], group: str) -> list[str]:
    """Return the group of each name: what stands before its counter, or what `group` matches.

    `group`: "prefix", or a regular expression, searched in the name below the class folder; its
    first bracket is the group, without brackets the whole match.
    """
    if group == PREFIX:
        return [stem_of(name) for name in names]
    try:
        pattern = re.compile(group)
    except re.error as problem:
        raise ValueError(
            f"{flag('group')} {group!r} is no regular expression ({problem}). Give one, or prefix."
        ) from problem
    found = [pattern.search(name) for name in names]
    if None in found:
        name = names[found.index(None)]
        raise ValueError(
            f"{flag('group')} {group!r} does not match {name!r}. Give one that matches all names."
        )
    return [match.group(1 if pattern.groups else 0) for match in found if match]


def stem_of(name: str) -> str:
    """Return a name without its ending and its counter: "walk_0012.png" -> "walk"."""
    return COUNTER.sub("", re.sub(r"\.\w+$", "", name))


def assigned(
    labels: np.ndarray,
    given: Sequence[str],
    of_group: Sequence[str] | None,
    *,
    label_names: Sequence[str],
    valid_share: float,
    test_share: float,
    seed: int,
) -> np.ndarray:
    """Return the part of each row, (N,) of "train", "valid" or "test".

    `given` (N,): "train" or `DRAWN`, "valid", "test"; the former give up what is missing, a
    validation part of `valid_share` and a test part of `test_share`. `of_group` (N,): what stays
    together. Raises where a class has too few rows, or groups, for all parts.
    """
    parts = np.array([part if part != DRAWN else "train" for part in given], "<U5")
    groups = None if of_group is None else np.array(of_group)
    shares = {"valid": valid_share, "test": test_share}
    missing = [part for part in shares if not (parts == part).any()]
    rows = np.flatnonzero(parts == "train")
    _check_enough(labels[rows], None if groups is None else groups[rows], label_names, missing)
    if missing and groups is None:
        wanted = [shares[part] for part in missing]
        drawn = stratified_split(labels[rows], [1 - sum(wanted), *wanted], seed=seed)
        for part, taken in zip(missing, drawn[1:], strict=True):
            parts[rows[taken]] = part
    elif missing:
        assert groups is not None
        for part in reversed(missing):
            rows = np.flatnonzero(parts == "train")
            taken = _grouped(labels[rows], groups[rows], share=shares[part], seed=seed)
            parts[rows[taken]] = part
        lost = set(range(len(label_names))) - set(labels[parts == "train"].tolist())
        if lost:
            _too_few(label_names[min(lost)], "groups", missing)
    return parts


def shared_groups(parts: np.ndarray, groups: np.ndarray) -> int:
    """Count the groups that lie in more than one part of a split that was given."""
    pairs = {(group, part) for group, part in zip(groups.tolist(), parts.tolist(), strict=True)}
    return sum(count > 1 for count in Counter(group for group, _ in pairs).values())


def _grouped(labels: np.ndarray, groups: np.ndarray, *, share: float, seed: int) -> np.ndarray:
    """Draw whole groups of about `share` of the rows, each class by its share."""
    from sklearn.model_selection import StratifiedGroupKFold

    folds = max(2, min(round(1 / share), len(np.unique(groups))))
    chosen = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():  # of classes with fewer rows than folds
        warnings.simplefilter("ignore", UserWarning)
        _, taken = next(iter(chosen.split(np.zeros(len(labels)), labels, groups)))
    return taken


def _check_enough(
    labels: np.ndarray, groups: np.ndarray | None, names: Sequence[str], missing: Sequence[str]
) -> None:
    """Raise where a class has fewer rows, or groups, than training and the drawn parts need."""
    for number, name in enumerate(names):
        of_class = labels == number
        count = int(of_class.sum()) if groups is None else len(np.unique(groups[of_class]))
        if count < 1 + len(missing):
            _too_few(name, "images" if groups is None else "groups", missing, count)


def _too_few(name: str, unit: str, missing: Sequence[str], count: int | None = None) -> None:
    has = f"has {count} {unit}" if count is not None else f"has too few {unit}"
    drawn = " and ".join(f"a {part}" for part in missing)
    since = f", since {drawn} part must be drawn from them" if missing else ""
    flags = " and ".join(map(flag, missing))
    raise ValueError(
        f"class {name!r} {has} for training; {1 + len(missing)} or more are needed{since}. Add "
        f"some, or leave the class out{f', or give {flags}' if missing else ''}."
    )
