"""What the three layouts have in common once read: an image and the boxes drawn in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from data.files.folders import walk

NOT_READ = (".heic", ".heif", ".avif", ".jp2", ".dng")  # images all the same
MOST_ABSENT = 0.1  # share of the images listed that may be absent from the folder


@dataclass(frozen=True)
class LabelledBox:
    """One box, as it is written in the file."""

    label: str
    corners: Sequence[float]
    """x0, y0, x1, y1, in pixels or in shares of the image."""
    where: str
    """Its place in the file: "object 3", "row 2"."""
    ignored: bool = False
    """Difficult, or a crowd: neither to be learned nor to be counted."""


@dataclass(frozen=True)
class LabelledImage:
    """One image with its boxes."""

    file: Path
    annotation: Path
    """The file that holds the boxes, named where they are wrong."""
    boxes: tuple[LabelledBox, ...]
    size: tuple[int, int] | None = None
    """Width and height that the annotation states."""


@dataclass
class Labelled:
    """All that a layout's reader finds; it adds to this while it reads."""

    images: list[LabelledImage] = field(default_factory=list)
    given: dict[str, list[int]] = field(default_factory=dict)
    """Row numbers under "train", "valid" and "test", as far as the user's files name them."""
    notices: list[str] = field(default_factory=list)
    classes: set[str] = field(default_factory=set)
    """Classes that the files declare, with or without a box."""
    relative: bool = False
    """The layout writes boxes as shares of the image's sides."""
    rows: dict[Path, int] = field(default_factory=dict)
    """Row number of each image file."""

    def add(self, image: LabelledImage, part: str | None) -> int:
        """Keep an image, once however often it is listed, and its part; return its row."""
        if image.file not in self.rows:
            self.rows[image.file] = len(self.images)
            self.images.append(image)
        row = self.rows[image.file]
        if part is not None:
            self.given.setdefault(part, []).append(row)
        return row


def say_absent(absent: Sequence[str], listed: int, annotations: Path, images: Path) -> list[str]:
    """Say which images are not there, or raise if they are more than a few of those `listed`."""
    if not absent:
        return []
    shown = ", ".join(absent[:3]) + (" …" if len(absent) > 3 else "")
    what = f"{len(absent):,} of {listed:,} images of {annotations} are not in {images}: {shown}"
    kinds = sorted({file.suffix for file in walk(images) if file.suffix.lower() in NOT_READ})
    if kinds:
        what += f" ({', '.join(kinds)} files are not read: save them as PNG or JPEG)"
    if len(absent) > MOST_ABSENT * listed:
        raise ValueError(f"{what}. Put them there, or name their folder by --data.images.")
    return [f"{what}; they were left out."]
