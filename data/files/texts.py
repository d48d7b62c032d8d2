"""Labelled texts out of a user's CSV file; `columns` converts and refuses."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from data.files.columns import file_source, filled, read_columns
from data.files.drawn import stratified_test_rows
from data.tables import TextClassification


def texts_from_csv(
    path: str | Path,
    *,
    text: str = "text",
    label: str = "label",
    test_path: str | Path | None = None,
    test_share: float = 0.2,
    seed: int = 0,
) -> TextClassification:
    """Read labelled texts; labels are numbered in alphabetical order.

    Without `test_path`, `test_share` of each class is drawn by `seed` and set aside as the test.
    """
    path = Path(path)
    raw = _read_texts(path, text, label)
    names = tuple(sorted(raw["label"].unique().to_list()))
    if len(names) < 2:
        raise ValueError(
            f"{path}: column {label!r} holds one class ({names[0]!r}); two are needed."
        )
    paths = [path]
    if test_path is None:
        in_test = stratified_test_rows(raw["label"].to_numpy(), test_share=test_share, seed=seed)
        train, test = raw.filter(~in_test), raw.filter(in_test)
    else:
        paths.append(Path(test_path))
        train, test = raw, _read_texts(paths[1], text, label)
        for row, value in enumerate(test["label"]):
            if value not in names:
                raise ValueError(
                    f"{test_path}, row {row + 2}: label {value!r} does not occur in {path}. Add "
                    "examples of it there, or remove the row."
                )
    rows = f"{train.height:,} train texts, {test.height:,} test texts, {len(names)} classes"
    numbers = pl.col("label").replace_strict(
        {name: number for number, name in enumerate(names)}, return_dtype=pl.Int32
    )
    return TextClassification(
        file_source(paths, rows=rows, notice=None),
        train.with_columns(numbers),
        test.with_columns(numbers),
        names,
    )


def _read_texts(path: Path, text: str, label: str) -> pl.DataFrame:
    raw = read_columns(path, {"text": text, "label": label})
    return pl.DataFrame(
        {
            "text": filled(path, raw["text"], text, missing=("",)),  # "none" can be a whole text
            "label": filled(path, raw["label"], label),
        }
    )
