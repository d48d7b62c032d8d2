"""Which rows a model may see: splits and cross-validations as index arrays.

A test figure predicts production only if the split repeats what production does to the data: new
rows of the same kind (`random`, `stratified` where classes are rare), new groups (`grouped`: an
unseen query, patient or customer), more of the same groups (`within_groups`), or the future
(`temporal`, `expanding_window`). Every function answers index arrays into the caller's rows,
disjoint, and together all rows (only a `gap` in time leaves rows out):

    train, valid, test = random_split(len(table), (0.7, 0.15, 0.15), seed=0)
    for train, valid in k_fold(len(table), 5, seed=0): …

Indices ascend (in time splits they follow time); shuffling is the loader's work. The same seed
gives the same split. A part that would be empty raises. Time splits never cut between equal
timestamps: the cut moves to the nearest change of time, so no row of train is as late as a row of
test. Source: Hastie et al., Elements of Statistical Learning, 7.10; Hyndman and Athanasopoulos,
Forecasting, 5.10 (expanding window); Cochran, Sampling Techniques, ch. 8 (systematic sampling, for
strata).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from common.evaluation.checks import Floats, Integers, numbers, whole

Fractions = Sequence[float]
Fold = tuple[Integers, Integers]

THREE_WAY = (0.7, 0.15, 0.15)


def random_split(
    rows: int, fractions: Fractions = THREE_WAY, *, seed: int = 0
) -> tuple[Integers, ...]:
    """One index array a fraction, drawn without regard to anything."""
    cuts = _cuts(whole("rows", rows), fractions, what="rows")
    order = np.random.default_rng(seed).permutation(rows)
    return tuple(np.sort(part) for part in np.split(order, cuts))


def stratified_split(
    labels: ArrayLike, fractions: Fractions = THREE_WAY, *, seed: int = 0
) -> tuple[Integers, ...]:
    """As `random_split`, with each class in each part by its share, to within two rows.

    Rows are shuffled, sorted by class, and every part after the first takes them at even steps from
    a random start. `labels` (N,) of any sortable type. A class with fewer rows than parts raises.
    """
    order = _by_class(labels, parts=len(fractions), seed=seed)
    _cuts(len(order), fractions, what="rows")
    rng = np.random.default_rng([seed, 1])
    parts = []
    left, left_share = order, 1.0
    for fraction in reversed(fractions[1:]):  # the first part keeps what the others leave
        steps = np.floor(np.arange(len(left) + 1) * (fraction / left_share) + rng.random())
        taken = np.diff(steps) > 0
        parts.append(np.sort(left[taken]))
        left, left_share = left[~taken], left_share - fraction
    parts.append(np.sort(left))
    return tuple(reversed(parts))


def grouped_split(
    groups: ArrayLike, fractions: Fractions = THREE_WAY, *, seed: int = 0
) -> tuple[Integers, ...]:
    """Whole groups go to one part; fractions are shares of the groups, of the rows only on average.

    `groups` (N,) of any sortable type: the query, user or patient of each row.
    """
    group_rows, count = _groups(groups)
    cuts = _cuts(count, fractions, what="groups")
    part_of_group = np.empty(count, dtype=np.int64)
    for part, members in enumerate(np.split(np.random.default_rng(seed).permutation(count), cuts)):
        part_of_group[members] = part
    part_of_row = part_of_group[group_rows]
    return tuple(np.flatnonzero(part_of_row == part) for part in range(len(fractions)))


def within_groups_split(
    groups: ArrayLike, fractions: Fractions = THREE_WAY, *, seed: int = 0
) -> tuple[Integers, ...]:
    """Every group goes to all parts by its share: its last rows, as they stand, to the last part.

    Shares of small groups hold over all groups together (a random start, even steps), but each
    keeps at least one row in the first part. `groups` (N,) of any sortable type: the user of each
    row. Shuffle the rows before, or sort them by time.
    """
    group_rows, count = _groups(groups)
    _cuts(len(group_rows), fractions, what="rows")
    sizes = np.bincount(group_rows, minlength=count)
    order = np.argsort(group_rows, kind="stable")
    ends = np.cumsum(sizes)[group_rows[order]]
    from_end = ends - 1 - np.arange(len(order))  # 0 is the last row of its group
    rng, taken = np.random.default_rng(seed), np.zeros(count, dtype=np.int64)
    part_of_row = np.zeros(len(order), dtype=np.int64)
    for part in reversed(range(1, len(fractions))):
        steps = np.floor(np.append(0, np.cumsum(sizes)) * fractions[part] + rng.random())
        wanted = np.minimum(np.diff(steps).astype(np.int64), sizes - 1 - taken)
        upper = (taken + wanted)[group_rows[order]]
        part_of_row[order[(from_end >= taken[group_rows[order]]) & (from_end < upper)]] = part
        taken += wanted
    parts = tuple(np.flatnonzero(part_of_row == part) for part in range(len(fractions)))
    if not all(len(part) for part in parts):
        raise ValueError(
            f"groups: {count} groups of {len(order)} rows are too small to cut each into fractions"
            f" {tuple(fractions)}: use larger groups, or a random split"
        )
    return parts


def temporal_split(
    times: ArrayLike, fractions: Fractions = THREE_WAY, *, gap: float = 0.0
) -> tuple[Integers, ...]:
    """The oldest rows first, the newest last; fractions of rows, moved to a change of timestamp.

    Equal timestamps never straddle a cut. With `gap` (in the unit of `times`: the delay of the
    labels) an earlier part also loses the rows of the last `gap` before its cut, whose labels were
    not yet known when the later part began. Raises where the timestamps leave no cut for a part.
    """
    times = numbers("times", times)
    ordered = np.sort(times)
    wanted = _cuts(len(times), fractions, what="rows")
    starts = np.append(np.flatnonzero(np.diff(ordered)) + 1, len(times))  # where time changes
    nearest = np.argmin(np.abs(starts[None, :] - wanted[:, None]), axis=1)  # ties: the earlier
    bounds = starts[nearest]
    if np.any(np.diff(np.concatenate(([0], bounds, [len(times)]))) <= 0):
        raise ValueError(
            f"times hold too few distinct timestamps ({len(starts)}) to cut into fractions "
            f"{tuple(fractions)}: use coarser fractions, finer timestamps or temporal_split_at"
        )
    return temporal_split_at(times, ordered[bounds], gap=gap)


def temporal_split_at(
    times: ArrayLike, cuts: ArrayLike, *, gap: float = 0.0
) -> tuple[Integers, ...]:
    """Parts between given times: a row at a cut belongs to the later part. `gap` as above."""
    times, cuts = numbers("times", times), numbers("cuts", cuts)
    if np.any(np.diff(cuts) <= 0):
        raise ValueError(f"cuts are {cuts.tolist()}: pass ascending times")
    if not gap >= 0:
        raise ValueError(f"gap is {gap!r}: pass a time of at least 0")
    order = np.argsort(times, kind="stable")
    ordered = times[order]
    starts = np.concatenate(([0], np.searchsorted(ordered, cuts), [len(times)]))
    ends = np.append(np.searchsorted(ordered, cuts - gap), len(times))
    parts = tuple(order[start:end] for start, end in zip(starts[:-1], ends, strict=True))
    for number, part in enumerate(parts):
        if not len(part):
            raise ValueError(f"part {number} of the time split is empty: move cuts or shorten gap")
    return parts


def k_fold(rows: int, folds: int = 5, *, seed: int = 0) -> list[Fold]:
    """Pairs (train, valid); each row is in valid once, fold sizes differ by at most one."""
    whole("folds", folds, low=2)
    if folds > whole("rows", rows):
        raise ValueError(f"folds is {folds}, more than the {rows} rows: use fewer folds")
    fold_of_row = np.random.default_rng(seed).permutation(rows) % folds
    return _pairs(fold_of_row, folds)


def stratified_k_fold(labels: ArrayLike, folds: int = 5, *, seed: int = 0) -> list[Fold]:
    """As `k_fold`, with the rows of each class spread over the folds to within one."""
    order = _by_class(labels, parts=whole("folds", folds, low=2), seed=seed)
    fold_of_row = np.empty(len(order), dtype=np.int64)
    fold_of_row[order] = np.arange(len(order)) % folds
    return _pairs(fold_of_row, folds)


def grouped_k_fold(groups: ArrayLike, folds: int = 5, *, seed: int = 0) -> list[Fold]:
    """As `k_fold` with whole groups, dealt largest first, there and back, for like sizes."""
    group_rows, count = _groups(groups)
    if whole("folds", folds, low=2) > count:
        raise ValueError(f"folds is {folds}, more than the {count} groups: use fewer folds")
    shuffled = np.random.default_rng(seed).permutation(count)
    sizes = np.bincount(group_rows, minlength=count)
    dealt = shuffled[np.argsort(-sizes[shuffled], kind="stable")]
    turn = np.arange(count) % (2 * folds)
    fold_of_group = np.empty(count, dtype=np.int64)
    fold_of_group[dealt] = np.minimum(turn, 2 * folds - 1 - turn)  # 0 1 2 2 1 0 …
    return _pairs(fold_of_group[group_rows], folds)


def expanding_window(times: ArrayLike, folds: int = 5, *, gap: float = 0.0) -> list[Fold]:
    """Pairs (train, test) that walk forward: fold i trains on all blocks up to i, tests on i + 1.

    Time is cut into folds + 1 blocks of about equal rows, never between equal timestamps; with
    `gap` the rows of the last `gap` before each test block are left out of its train. Indices
    follow time.
    """
    blocks = whole("folds", folds) + 1
    parts = temporal_split(times, [1.0 / blocks] * blocks)
    times = numbers("times", times)
    pairs = []
    for fold in range(folds):
        train = np.concatenate(parts[: fold + 1])
        if gap:
            train = train[times[train] < times[parts[fold + 1]].min() - gap]
        if not len(train):
            raise ValueError(f"gap is {gap}, which leaves fold {fold} no training row: shorten it")
        pairs.append((train, parts[fold + 1]))
    return pairs


def _cuts(count: int, fractions: Fractions, *, what: str) -> Integers:
    """Positions that cut `count` things by fractions, each part within one of its share."""
    shares: Floats = numbers("fractions", np.asarray(fractions, dtype=np.float64))
    if len(shares) < 2 or np.any(shares <= 0) or abs(shares.sum() - 1.0) > 1e-6:
        raise ValueError(
            f"fractions are {tuple(fractions)}: pass two or more positive shares that sum to 1"
        )
    cuts = np.rint(np.cumsum(shares)[:-1] * count).astype(np.int64)
    if np.any(np.diff(np.concatenate(([0], cuts, [count]))) <= 0):
        raise ValueError(
            f"{count} {what} are too few for fractions {tuple(fractions)}: "
            "a part would be empty; use more data or fewer parts"
        )
    return cuts


def _by_class(labels: ArrayLike, *, parts: int, seed: int) -> Integers:
    """Rows sorted by class, in random order within a class."""
    labels = np.asarray(labels)
    if labels.dtype.kind == "f":
        numbers("labels", labels)
    names, class_of_row, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    if len(sizes) and sizes.min() < parts:
        raise ValueError(
            f"labels: class {names[sizes.argmin()]!s} has {sizes.min()} row(s), fewer than the "
            f"{parts} parts: merge or drop it, or split at random"
        )
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    return shuffled[np.argsort(class_of_row[shuffled], kind="stable")]


def _groups(groups: ArrayLike) -> tuple[Integers, int]:
    groups = np.asarray(groups)
    if groups.dtype.kind == "f":
        numbers("groups", groups)
    names, group_rows = np.unique(groups, return_inverse=True)
    return group_rows.astype(np.int64), len(names)


def _pairs(fold_of_row: Integers, folds: int) -> list[Fold]:
    return [
        (np.flatnonzero(fold_of_row != fold), np.flatnonzero(fold_of_row == fold))
        for fold in range(folds)
    ]
