"""Fashion-MNIST: 70,000 grey images of 28 x 28, ten kinds of clothing, balanced.

The image-classification room's public set. Files are gzipped IDX: two zero bytes, a type byte (8
is unsigned byte), the number of dimensions, each dimension as a big-endian 32-bit integer, then
the values in C order.

Source: Xiao, Rasul and Vollgraf, "Fashion-MNIST: a Novel Image Dataset", 2017. Nothing differs
here.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from data.cards import Card, Fetched, File, Form
from data.tables import Images, Source

_BASES = (
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/"
    "b2617bb6d3ffa2e429640350f613e3291e10b141/data/fashion/",
)
_FILES = {
    "train-images-idx3-ubyte.gz": (
        26421880,
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    ),
    "train-labels-idx1-ubyte.gz": (
        29515,
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    ),
    "t10k-images-idx3-ubyte.gz": (
        4422102,
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    ),
    "t10k-labels-idx1-ubyte.gz": (
        5148,
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    ),
}
LABEL_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

CARD = Card(
    name="fashion-mnist",
    folder="fashion_mnist",
    title="Fashion-MNIST",
    task="image classification",
    homepage="https://github.com/zalandoresearch/fashion-mnist",
    licence="MIT",
    citation="Xiao, Rasul and Vollgraf, Fashion-MNIST: a Novel Image Dataset, 2017",
    published={"train": 60000, "test": 10000, "classes": 10},
    forms=(
        Form(
            "official",
            tuple(
                File(name, size, digest, urls=tuple(base + name for base in _BASES))
                for name, (size, digest) in _FILES.items()
            ),
        ),
    ),
)


def read(fetched: Fetched) -> Images:
    """Read both parts as uint8 (N, 28, 28) with int64 labels."""
    train_images = read_idx(fetched.paths["train-images-idx3-ubyte.gz"])  # (60000, 28, 28)
    train_labels = read_idx(fetched.paths["train-labels-idx1-ubyte.gz"])  # (60000,)
    test_images = read_idx(fetched.paths["t10k-images-idx3-ubyte.gz"])
    test_labels = read_idx(fetched.paths["t10k-labels-idx1-ubyte.gz"])
    source = Source(
        name=CARD.name,
        origin=fetched.origin,
        title=CARD.title,
        licence=CARD.licence,
        checksums=fetched.checksums,
        rows=f"{len(train_images):,} train images, {len(test_images):,} test images, 10 classes",
    )
    return Images(
        source,
        train_images,
        train_labels.astype(np.int64),
        test_images,
        test_labels.astype(np.int64),
        LABEL_NAMES,
    )


def read_idx(path: Path) -> np.ndarray:
    """Read a gzipped IDX file of unsigned bytes."""
    raw = gzip.decompress(path.read_bytes())
    if len(raw) < 4 or raw[:3] != b"\x00\x00\x08":
        raise ValueError(f"{path}: not an IDX file of unsigned bytes (starts {raw[:4].hex()}).")
    dimensions = raw[3]
    shape = tuple(np.frombuffer(raw, ">i4", count=dimensions, offset=4).tolist())
    values = np.frombuffer(raw, np.uint8, offset=4 + 4 * dimensions)
    if values.size != int(np.prod(shape)):
        raise ValueError(f"{path}: the header says {shape}, the file holds {values.size}.")
    return values.reshape(shape).copy()  # writable, and free of the header
