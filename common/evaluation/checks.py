"""Input checks shared by the metrics: a wrong array stops at the door, named, with a remedy.

A metric fed with NaN, with lists of different lengths or with a single class usually still answers
a number, and the number is wrong. Each function here takes the argument's name first, gives the
array back in the type the metrics compute in (float64, int64 or bool), or raises `ValueError` that
names the argument, what was found and what to do.
"""

from collections.abc import Sized
from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]


def numbers(name: str, values: ArrayLike, *, dimensions: int = 1) -> Floats:
    """Finite float64 array of that many dimensions; NaN and infinity raise, an empty one passes."""
    array = np.asarray(values)
    if array.size == 0 and array.ndim != dimensions:
        array = np.zeros((0,) * dimensions)
    if array.ndim != dimensions:
        raise ValueError(
            f"{name} has shape {array.shape}: pass an array of {dimensions} dimension(s)"
        )
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name} holds {array.dtype}: pass numbers")
    array = array.astype(np.float64, copy=False)
    finite = np.isfinite(array)
    if not finite.all():
        first = tuple(int(place) for place in np.argwhere(~finite)[0])
        where = first[0] if dimensions == 1 else first
        raise ValueError(
            f"{name} holds {int((~finite).sum())} NaN or infinite value(s), the first at {where}: "
            "drop or impute these rows before evaluating"
        )
    return array


def probabilities(name: str, values: ArrayLike, *, dimensions: int = 1) -> Floats:
    """Finite numbers in [0, 1]."""
    array = numbers(name, values, dimensions=dimensions)
    if array.size and (array.min() < 0.0 or array.max() > 1.0 + 1e-6):
        raise ValueError(
            f"{name} goes from {array.min():.4g} to {array.max():.4g}, outside [0, 1]: "
            "pass probabilities (apply a sigmoid or softmax to logits)"
        )
    return np.minimum(array, 1.0)


def classes_of(name: str, values: ArrayLike, *, classes: int | None = None) -> Integers:
    """Whole class numbers from 0, below `classes` where that is given."""
    array = numbers(name, values)
    whole = array.astype(np.int64)
    if not np.array_equal(whole, array):
        raise ValueError(f"{name} holds fractions: pass class numbers 0, 1, 2 …")
    if whole.size and whole.min() < 0:
        raise ValueError(f"{name} holds {whole.min()}: class numbers start at 0")
    if classes is not None and whole.size and whole.max() >= classes:
        raise ValueError(
            f"{name} holds class {whole.max()}, but classes is {classes}: "
            f"pass at least {whole.max() + 1} classes"
        )
    return whole


def binary(name: str, values: ArrayLike, *, both: bool = False) -> Booleans:
    """0/1 labels as booleans; with `both`, labels of a single class (or none) raise."""
    array = numbers(name, values)
    positive = array == 1.0
    if not np.all(positive | (array == 0.0)):
        strange = array[~(positive | (array == 0.0))][0]
        raise ValueError(f"{name} holds {strange:g}: pass 0/1 labels")
    if both and (positive.all() or not positive.any()):
        found = f"only class {int(positive[0])}" if positive.size else "no row"
        raise ValueError(
            f"{name} holds {found}: the metric compares two classes; "
            "evaluate on more rows or leave this slice out"
        )
    return positive


def not_empty(name: str, values: Sized) -> None:
    """Raise where a mean over nothing would be taken."""
    if len(values) == 0:
        raise ValueError(f"{name} is empty: there is no row to evaluate")


def same_length(**arrays: Sized) -> int:
    """The common length of the named arrays."""
    lengths = {name: len(values) for name, values in arrays.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise ValueError(f"lengths differ ({told}): pass one row of each per example")
    return next(iter(lengths.values()))


def whole(name: str, value: int, *, low: int = 1, high: int | None = None) -> int:
    """A whole number of at least `low` and at most `high`."""
    ceiling = "" if high is None else f" and at most {high}"
    wrong = not isinstance(value, Integral) or isinstance(value, bool)
    if wrong or value < low or (high is not None and value > high):
        raise ValueError(f"{name} is {value!r}: pass a whole number of at least {low}{ceiling}")
    return int(value)


def share(name: str, value: float) -> float:
    """A number strictly between 0 and 1."""
    if not 0.0 < value < 1.0:
        raise ValueError(f"{name} is {value!r}: pass a number between 0 and 1, both excluded")
    return float(value)


def scored(labels: ArrayLike, scores: ArrayLike, *, both: bool = True) -> tuple[Booleans, Floats]:
    """0/1 labels with a score each; none raises, and with `both` so does a single class."""
    positive, scores = binary("labels", labels, both=both), numbers("scores", scores)
    same_length(labels=positive, scores=scores)
    not_empty("labels", positive)
    return positive, scores
