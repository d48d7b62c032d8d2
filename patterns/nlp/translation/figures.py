"""What is drawn of a translator: where it looks, what the search costs, length, training."""

from __future__ import annotations

import numpy as np

from common.evaluation.classifier_figures import draw_training
from common.evaluation.report import Report, Row, Table, figure
from patterns.nlp.translation.data import Splits
from patterns.nlp.translation.stages.translator import Translator

PIECES = 24  # of a sentence that is drawn, at most


def draw(report: Report, translator: Translator, splits: Splits) -> None:
    """Draw all figures of the tables in `report`."""
    tables = {table.name: table for table in report.tables}
    _draw_widths(report, tables["search"])
    _draw_lengths(report, tables["by length"])
    _draw_attention(report, translator, splits)
    if translator.history_ is not None:
        draw_training(
            report, translator.history_.valid,
            score="log-probability of a piece", axis="minus log loss", table="translation",
        )  # fmt: skip


def _draw_widths(report: Report, widths: Table) -> None:
    caption = "What a wider search gains and costs; left is cheaper, up is better."
    with figure(report, "search", caption, table=widths.name) as axes:
        times = [_number(row, "sentence ms") for row in widths.rows]
        scores = [_number(row, "BLEU") for row in widths.rows]
        axes.plot(times, scores, marker="o")
        for row, time, score in zip(widths.rows, times, scores, strict=True):
            axes.annotate(row.name, (time, score), xytext=(4, 6), textcoords="offset points")
        axes.margins(0.18)
        axes.set_xlabel("milliseconds a sentence, in batches")
        axes.set_ylabel("BLEU")


def _draw_lengths(report: Report, lengths: Table) -> None:
    names = lengths.columns[:-1]
    caption = "BLEU by the length of the source."
    with figure(report, "length", caption, table=lengths.name) as axes:
        places = np.arange(len(lengths.rows))
        for place, name in enumerate(names):
            values = [_number(row, name) for row in lengths.rows]
            axes.bar(places + 0.4 * (place - 0.5), values, width=0.38, label=name)
        axes.set_xticks(places, [row.name for row in lengths.rows])
        axes.set_ylabel("BLEU")
        axes.legend()


def _draw_attention(report: Report, translator: Translator, splits: Splits) -> None:
    """Draw where the last decoder layer looks while it writes a sentence of usual length."""
    by_length = sorted(splits.test.sources, key=len)
    source, target, weights = translator.looks(by_length[len(by_length) // 2])
    source, target = source[:PIECES], target[:PIECES]
    caption = (
        "A test sentence of usual length: each row is a piece as it is written, each column a piece"
        " of the source; the darker, the more the last decoder layer looks there (mean of heads)."
    )
    size = (2.0 + 0.22 * len(source), 1.6 + 0.22 * len(target))
    with figure(report, "attention", caption, table="translation", size=size) as axes:
        axes.imshow(weights[: len(target), : len(source)], cmap="Blues", aspect="auto")
        axes.set_xticks(range(len(source)), source, rotation=90)
        axes.set_yticks(range(len(target)), target)
        axes.grid(False)
        axes.set_xlabel("source")
        axes.set_ylabel("translation")


def _number(row: Row, column: str) -> float:
    value = row.values[column]
    assert isinstance(value, float)
    return value
