"""The typed tables every dataset is read into.

This is the first box of every pattern's diagram: files become tables here and nothing more.
Labels, splits and leakage belong to `patterns/<name>/data.py`, which takes one of these tables and
decides what a row means. A public dataset, a simulated world and a user's own file of the same
kind give the same table, so a pattern is written once.

Shapes: N rows, H height, W width. Tables are frozen; frames and arrays are shared, not copied, so
whoever changes one makes a copy first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from common import images

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Source:
    """Where a table came from, for the console header, the report and the manifest."""

    name: str
    """The name it was loaded by."""
    origin: str
    """cache, mirror, official, bundled, simulated or file."""
    title: str
    """The name people know it by."""
    licence: str
    """The licence in one line."""
    checksums: dict[str, str]
    """sha256 of each file that was read, by file name."""
    rows: str
    """A human line: "100,000 ratings, 943 users, 1,682 items"."""
    notice: str | None = None
    """What a reader of the figures must know, such as a part that is missing."""


@dataclass(frozen=True)
class Interactions:
    """Users, items and what passed between them."""

    source: Source
    interactions: pl.DataFrame
    """user_id: str, item_id: str, rating: f32, timestamp: i64 in seconds since 1970 (UTC); rating
    and timestamp are null where the source has none, and a rating also where an event came without
    one. Where the source knows them: device: str or null, watch_seconds: f32 or null, session_id:
    i64, weight: f32 above 0 (plays, quantity), part: train, valid or test of a split of the user's,
    and further columns of the user's. An event is a rating or a view; a pair may occur more than
    once in a user's own file."""
    users: pl.DataFrame
    """user_id: str, one row a user, then what is known, null where it is not: age: integer years,
    gender: str, occupation: str, and of a dataset zip_code: str, joined: date. Age is the lower end
    of a band in MovieLens 1M."""
    items: pl.DataFrame
    """item_id: str, one row an item, title: str, genres: list[str], year: i32 or null; then what is
    known: text: str or null (an overview, or title and tags), runtime_minutes: i32 or null,
    release_date: date or null, imdb_id and tmdb_id: str or null."""
    extra: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    """Further tables of the dataset by name: tags of MovieLens latest-small, the leave-one-out test
    of NCF with 1M, exposures and the planted truth of the simulated world."""


@dataclass(frozen=True)
class SearchCollection:
    """Documents, queries and graded judgments of pairs of them."""

    source: Source
    documents: pl.DataFrame
    """doc_id: str, title: str, text: str, then the fields of the collection: texts as str,
    categories as list[str], numbers as numbers."""
    queries: pl.DataFrame
    """query_id: str, query: str."""
    judgments: pl.DataFrame
    """query_id: str, doc_id: str, grade: i8; 0 is judged and not relevant."""
    split: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Query ids under "train", "valid" and "test", where the source gives a split; else empty."""
    identical_ids: bool = False
    """A query with the id of a document is that document, and must not find itself."""


@dataclass(frozen=True)
class Transactions:
    """Card payments in order of time."""

    source: Source
    frame: pl.DataFrame
    """transaction_id: i64, is_fraud: i8, -1 where it is not known. Then what the source has:
    time_seconds: i64 since `start` and day: i16, customer_id, terminal_id, device_id: i32, amount:
    f64, weight: f64 (how many payments the row stands for), part: str (train, valid or test),
    scenario: i8 (0 when genuine or unknown), account_opened: i32, a day; and further columns."""
    start: date
    """The day that second 0 begins; 1970-01-01 where there is no time."""
    numbers: tuple[str, ...] = ()
    """Further columns of numbers: f64, null where missing."""
    categories: tuple[str, ...] = ()
    """Further columns of categories: str."""
    calendar: bool = True
    """Whether `start` is a date that is known, rather than the zero of a counter."""
    extra: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    """The user's own ids of a column: the table's numbers beside their names."""


@dataclass(frozen=True)
class TextClassification:
    """Short texts, each with one label."""

    source: Source
    train: pl.DataFrame
    """text: str, label: i32, an index into `label_names`."""
    test: pl.DataFrame
    """The same columns."""
    label_names: tuple[str, ...]
    valid: pl.DataFrame | None = None
    """The same columns; None where a validation part has to be drawn."""


@dataclass(frozen=True)
class TaggedTokens:
    """Sentences cut into words, each word with a tag of the entity it belongs to."""

    source: Source
    train: pl.DataFrame
    """tokens: list[str], tags: list[str] (BIO2: O, B-x, I-x), document: i32, of one part; what is
    of one document belongs together."""
    types: tuple[str, ...]
    """The types of entities of all parts, in alphabetical order."""
    valid: pl.DataFrame | None = None
    """The same columns; None where a validation part has to be drawn."""
    test: pl.DataFrame | None = None
    """The same columns; None where a test part has to be drawn."""


@dataclass(frozen=True)
class QuestionAnswers:
    """Paragraphs of articles, and questions with the spans that answer them."""

    source: Source
    paragraphs: pl.DataFrame
    """paragraph_id: str, title: str (of the article), text: str, part: train, valid or test. Some
    may have no question."""
    questions: pl.DataFrame
    """question_id: str, paragraph_id: str, question: str, answers: list[str], starts: list[i64],
    the character of the paragraph at which each answer begins; no answers: the paragraph does not
    tell."""


@dataclass(frozen=True)
class ParallelTexts:
    """Texts in several languages: those of one row mean the same."""

    source: Source
    train: pl.DataFrame
    """A column of str for each language, named by it."""
    test: pl.DataFrame
    """The same columns."""
    languages: tuple[str, ...]
    """The columns; where no pair is asked for, the first is translated into the second."""
    valid: pl.DataFrame | None = None
    """The same columns; None where a validation part has to be drawn."""
    extra: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    """Further test parts by name, the same columns."""


@dataclass(frozen=True)
class Images:
    """Images of one size, each with one label."""

    source: Source
    train_images: np.ndarray
    """uint8 (N, H, W) or (N, H, W, 3)."""
    train_labels: np.ndarray
    """int64 (N,)."""
    test_images: np.ndarray
    test_labels: np.ndarray
    label_names: tuple[str, ...]
    valid_images: np.ndarray | None = None
    """A validation part, where the source has one."""
    valid_labels: np.ndarray | None = None


@dataclass(frozen=True)
class DetectionImages:
    """Images with boxes, sized as they come."""

    source: Source
    images: Sequence[np.ndarray]
    """uint8 (H, W, 3) each; a public set keeps them encoded and decodes at each look."""
    boxes: list[np.ndarray]
    """float32 (n, 4) each: x0, y0, x1, y1 in pixels."""
    labels: list[np.ndarray]
    """int64 (n,) each, an index into `label_names`."""
    label_names: tuple[str, ...]
    split: Mapping[str, np.ndarray]
    """Index arrays under "train", "valid" and "test"."""
    ignored_boxes: Sequence[np.ndarray] = ()
    """float32 (m, 4) each, difficult ones and crowds, or nothing where the source has none: not to
    be learned, and neither missed nor false alarms."""
    ignored_labels: Sequence[np.ndarray] = ()
    """int64 (m,) each."""


@dataclass(frozen=True)
class SegmentationImages:
    """Images with one mask per object."""

    source: Source
    images: Sequence[np.ndarray]
    """uint8 (H, W, 3) each."""
    masks: Sequence[np.ndarray]
    """uint16 (H, W) each: 0 is background, 1..n the objects."""
    names: tuple[str, ...] = ()
    """A stable name for each image, empty when there is none."""
    kinds: tuple[str, ...] = ()
    """The modality of each image where the source tells it, for slices."""
    groups: tuple[str, ...] = ()
    """What each image belongs to, a patient or a film, where the source tells it."""
    split: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Index arrays under "train", "valid" and "test", as far as the source has a split."""


@dataclass(frozen=True)
class SemanticImages:
    """Images in which each pixel has a class."""

    source: Source
    images: Sequence[np.ndarray]
    """uint8 (H, W, 3) each."""
    masks: Sequence[np.ndarray]
    """uint8 each, an index into `class_names` or `common.images.UNLABELLED`; (H, W), or finer than
    the image."""
    class_names: tuple[str, ...]
    values: tuple[int, ...]
    """The number that stands for each class in the files."""
    names: tuple[str, ...] = ()
    """A stable name for each image, empty when there is none."""
    groups: tuple[str, ...] = ()
    """What each image belongs to, a patient or a film, where the source tells it."""
    split: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Index arrays under "train", "valid" and "test", as far as the source has a split."""


class EncodedImages(Sequence[np.ndarray]):
    """Images kept as JPEG, PNG or WebP bytes, or as paths, and decoded when looked at.

    364 photographs of 640 x 480 are 7 MB so, and 335 MB decoded. Each look decodes anew (a few
    milliseconds): whoever goes over them many times keeps what it needs.
    """

    def __init__(self, encoded: Sequence[bytes | Path], names: Sequence[str]) -> None:
        assert len(encoded) == len(names)
        self.encoded = list(encoded)
        self.names = list(names)

    def __len__(self) -> int:
        return len(self.encoded)

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...

    @overload
    def __getitem__(self, index: slice) -> EncodedImages: ...

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return EncodedImages(self.encoded[index], self.names[index])
        encoded = self.encoded[index]
        if isinstance(encoded, Path):
            return decode_image(encoded.read_bytes(), name=str(encoded))  # (H, W, 3)
        return decode_image(encoded, name=self.names[index])


def decode_image(encoded: bytes, *, name: str) -> np.ndarray:
    """Decode to uint8 (H, W, 3); an image that cannot be read raises ValueError naming it."""
    try:
        return images.decode(encoded)
    except images.UnreadableImage as error:
        raise ValueError(
            f"{name}: not a readable image ({error}). Remove it or save it again as PNG or JPEG."
        ) from error


Table = (
    Interactions
    | SearchCollection
    | Transactions
    | TextClassification
    | TaggedTokens
    | QuestionAnswers
    | ParallelTexts
    | Images
    | DetectionImages
    | SegmentationImages
    | SemanticImages
)
