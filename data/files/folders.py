"""What the readers of folders share: the images of a folder, each decoded or refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from common.images import SUFFIXES
from data.tables import decode_image


def checked_folder(path: Path) -> Path:
    """Return the folder, or raise where there is none."""
    if not path.is_dir():
        raise ValueError(f"{path}: no such folder. Name an existing one.")
    return path


def folders(root: Path) -> tuple[str, ...]:
    """Return the names of the folders inside, hidden ones left out."""
    found = (folder.name for folder in root.iterdir() if folder.is_dir())
    return tuple(sorted(name for name in found if not name.startswith(".")))


def images_in(folder: Path) -> list[Path]:
    """Return the image files of a folder, by name."""
    return sorted(
        file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file()
    )


def decode(path: Path) -> np.ndarray:
    """Read an image to uint8 (H, W, 3), or raise, naming the file."""
    return decode_image(path.read_bytes(), name=str(path))
