"""Questions out of a user's SQuAD-JSON: the parts they bring, or a test part drawn by article."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from data.files.columns import file_source
from data.files.faults import flag
from data.files.part_names import held_out, part_named
from data.files.squad_json import SquadJson, Unplaced
from data.tables import QuestionAnswers

SUFFIXES = (".json", ".jsonl", ".ndjson")


def questions_from_squad_json(
    path: Path,
    *,
    valid: Path | None = None,
    test: Path | None = None,
    incomplete: Unplaced = "refuse",
    test_share: float = 0.2,
    seed: int = 0,
) -> QuestionAnswers:
    """Read questions with their paragraphs.

    `path` is the training file, or a folder with files named train, valid and test. Without a test
    part, `test_share` of the articles is drawn by `seed`, of the paragraphs if there is one article
    alone. `incomplete` says what becomes of questions whose answer does not stand in its paragraph.
    """
    files, said = _part_files(path)
    files |= {part: each for part, each in (("valid", valid), ("test", test)) if each is not None}
    read = SquadJson(incomplete=incomplete)
    for part, file in files.items():
        read.read(file, part)
    paragraphs, questions = read.frames()
    for part, file in files.items():
        own = paragraphs.filter(pl.col("part") == part)["paragraph_id"].to_list()
        if not questions["paragraph_id"].is_in(own).any():
            raise ValueError(f"{file}: it holds no question that can be used; add some.")
    said += read.repairs.sentences()
    if "test" not in files:
        paragraphs, unit = _with_drawn_test(paragraphs, path, test_share, seed)
        said.append(f"No test part was given: {test_share:.0%} of the {unit} were drawn for it.")
    rows = (
        f"{questions.height:,} questions, {paragraphs.height:,} paragraphs,"
        f" {paragraphs['title'].n_unique():,} articles"
    )
    source = file_source(list(files.values()), rows=rows, notice=" ".join(said) or None)
    return QuestionAnswers(source, paragraphs, questions)


def _part_files(path: Path) -> tuple[dict[str, Path], list[str]]:
    """Return the file of each part, and what must be said."""
    if not path.is_dir():
        return {"train": path}, []
    inside = [each for each in sorted(path.iterdir()) if each.suffix.lower() in SUFFIXES]
    found: dict[str, Path] = {}
    for each in inside:
        part = part_named(each.stem)
        if part and part in found:
            raise ValueError(
                f"{path}: {found[part].name} and {each.name} are both named {part}. Name one by"
                f" {flag(part)}."
            )
        if part:
            found[part] = each
    if "train" not in found:
        raise ValueError(
            f"{path}: a folder without a file of training questions (train.json). Name it by"
            f" {flag('train')}, and that of the test by {flag('test')}."
        )
    return found, held_out(found)


def _with_drawn_test(
    paragraphs: pl.DataFrame, path: Path, share: float, seed: int
) -> tuple[pl.DataFrame, str]:
    """Move a share of the training articles to the test part."""
    training = paragraphs.filter(pl.col("part") == "train")
    unit = "title" if training["title"].n_unique() > 1 else "paragraph_id"
    groups = training[unit].unique(maintain_order=True).to_list()
    if len(groups) < 2:
        raise ValueError(
            f"{path}: one paragraph alone cannot be split; give a test file by {flag('test')}."
        )
    count = min(max(1, round(share * len(groups))), len(groups) - 1)
    drawn = np.random.default_rng(seed).permutation(len(groups))[:count]
    moved = pl.col(unit).is_in([groups[row] for row in drawn]) & (pl.col("part") == "train")
    part = pl.when(moved).then(pl.lit("test")).otherwise(pl.col("part")).alias("part")
    return paragraphs.with_columns(part), "articles" if unit == "title" else "paragraphs"
