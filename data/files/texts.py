"""Labelled texts out of a user's table; `columns` converts and refuses."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from common.own_files import TableOptions
from data.files.columns import Columns, file_source, read_columns
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
    options: TableOptions | None = None,
) -> TextClassification:
    """Read labelled texts; labels are numbered in alphabetical order.

    Without `test_path`, `test_share` of each class is drawn by `seed` and set aside as the test.
    """
    path, options = Path(path), options or TableOptions()
    read = read_columns(path, {"text": text, "label": label}, options)
    raw, said = _texts(read), read.notes()
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
        read = read_columns(paths[1], {"text": text, "label": label}, options)
        train, test = raw, _texts(read)
        unknown = ~test["label"].is_in(list(names))
        if unknown.any():
            place = unknown.arg_max() or 0
            raise ValueError(
                f"{test_path}, row {read.table.rows[place]}: label {test['label'][place]!r} does "
                f"not occur in {path}. Add examples of it there, or remove the row."
            )
        said += read.notes()
    rows = f"{train.height:,} train texts, {test.height:,} test texts, {len(names)} classes"
    numbers = pl.col("label").replace_strict(
        {name: number for number, name in enumerate(names)}, return_dtype=pl.Int32
    )
    return TextClassification(
        file_source(paths, rows=rows, notice=" ".join(said) or None),
        train.with_columns(numbers),
        test.with_columns(numbers),
        names,
    )


def _texts(read: Columns) -> pl.DataFrame:
    frame = pl.DataFrame({"text": read.filled("text"), "label": read.filled("label")})
    read.check()
    return frame
