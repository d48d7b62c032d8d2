"""Digits: 1,797 handwritten digits of 8 x 8 pixels, bundled with scikit-learn.

The image-classification room's offline set: it comes with the install, so nothing is fetched.
Pixels are 0..16 in the original and are scaled to 0..255 here. scikit-learn gives no split; the
last fifth of the rows is the test set. Rows stand in blocks by writer, so this is harder, and more
trustworthy, than a random split that puts each writer on both sides.

Source: Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998.
"""

from __future__ import annotations

import numpy as np

from data.cards import Card
from data.tables import Images, Source

CARD = Card(
    name="digits",
    folder="digits",
    title="Optical Recognition of Handwritten Digits",
    task="image classification",
    homepage="https://archive.ics.uci.edu/dataset/80",
    licence="CC BY 4.0",
    citation="Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998",
    published={"images": 1797, "classes": 10},
    forms=(),
)


def read() -> Images:
    """Read the bundled images as uint8 (N, 8, 8)."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = np.rint(bunch.images * (255 / 16)).astype(np.uint8)  # (1797, 8, 8)
    labels = bunch.target.astype(np.int64)
    first_test = round(0.8 * len(images))
    source = Source(
        name=CARD.name,
        origin="bundled",
        title=CARD.title,
        licence=CARD.licence,
        checksums={},
        rows=f"{first_test:,} train images, {len(images) - first_test:,} test images, 10 classes",
    )
    return Images(
        source,
        images[:first_test],
        labels[:first_test],
        images[first_test:],
        labels[first_test:],
        tuple(str(digit) for digit in range(10)),
    )
