"""What is wrong with parts as they are: classes that one lacks, images that lie in two."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

MOST = 10  # names listed
CONSEQUENCES = {"train": "cannot be learned", "test": "are not measured"}


def lacking(
    labels: Mapping[str, np.ndarray], label_names: Sequence[str], *, unit: str
) -> Iterator[str]:
    """Say which classes have no `unit` in training, or in the test, whose figures then lack them.

    `labels` holds the class numbers that occur in each part.
    """
    for part, consequence in CONSEQUENCES.items():
        found = set(labels[part].tolist())
        absent = [name for number, name in enumerate(label_names) if number not in found]
        if absent:
            listed = ", ".join(absent[:MOST]) + (", …" if len(absent) > MOST else "")
            yield f"Classes without {unit} in the {part} part {consequence}: {listed}."


def repeated(train: Sequence[np.ndarray], test: Sequence[np.ndarray]) -> Iterator[str]:
    """Say how many test images are pixel for pixel among those of training."""
    known = {(image.shape, hash(image.tobytes())) for image in train}
    if count := sum((image.shape, hash(image.tobytes())) in known for image in test):
        yield f"{count:,} test images equal a training image pixel for pixel; they were kept."
