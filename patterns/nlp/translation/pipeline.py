"""The boxes wired: sentences -> subwords -> Transformer -> search -> text; word by word beside it.

The only place that turns the configuration into stages. `translate` is the verb, batch first; an
answer does not depend on the other texts of its batch. What serves is what the validation pairs
prefer by BLEU, the baseline included; of equals the simpler one. What is saved is what serves.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from common.atomic import write_json
from common.config import as_flags
from common.preference import preferred
from patterns.nlp.translation.config import Config
from patterns.nlp.translation.data import Splits
from patterns.nlp.translation.entities.pairs import text_profile
from patterns.nlp.translation.stages.bleu import bleu
from patterns.nlp.translation.stages.lexicon import Lexicon
from patterns.nlp.translation.stages.sentences import (
    Sentence,
    cleaned,
    has_words,
    sentences,
    together,
)
from patterns.nlp.translation.stages.subwords import Subwords
from patterns.nlp.translation.stages.translator import Translation, Translator

if TYPE_CHECKING:
    import polars as pl

MOST_JUDGED = 500  # validation pairs that are translated to choose what serves
FLAGS = {"kind": "subwords.kind", "vocabulary": "subwords.vocabulary",
         "max_length": "training.max_length", "heads": "transformer.heads"}  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """A text translated, with the next best ones."""

    translation: str
    score: float | None
    """Log-probability of a piece, the mean over sentences; None of the baseline."""
    others: tuple[tuple[str, float], ...]
    sentences: int
    cut: bool
    """Whether the end of a sentence was not read."""


class Pipeline:
    """A translator with its baseline."""

    def __init__(
        self,
        *,
        languages: tuple[str, str],
        beam: int = 4,
        length_penalty: float = 1.0,
        baseline: Lexicon | None = None,
        subwords: Subwords | None = None,
        translator: Translator | None = None,
        seed: int = 0,
    ) -> None:
        self.languages, self.beam, self.length_penalty = languages, beam, length_penalty
        self.baseline, self.subwords, self.translator = baseline, subwords, translator
        self.seed = seed
        self.notices: list[str] = []
        self.served_ = ""  # the name of the baseline or of the translator
        self.valid_scores_: dict[str, float] = {}  # name -> BLEU on validation pairs
        self.example_ = ""  # a training source of usual length, to try the service with

    @classmethod
    def from_config(cls, config: Config, splits: Splits) -> Pipeline:
        """Make the unfitted stages."""
        size, training = config.transformer, config.training
        translator = Translator(
            width=size.width,
            heads=size.heads,
            encoder_layers=size.encoder_layers,
            decoder_layers=size.decoder_layers,
            hidden=size.hidden,
            dropout=size.dropout,
            epochs=training.epochs,
            batch_tokens=training.batch_tokens,
            learning_rate=training.learning_rate,
            schedule=training.schedule,
            warmup=training.warmup,
            weight_decay=training.weight_decay,
            label_smoothing=training.label_smoothing,
            ema=training.ema,
            max_length=training.max_length,
            precision=training.precision,
            device=config.device,
            seed=config.seed,
        )
        return cls(
            languages=splits.languages,
            beam=config.search.beam,
            length_penalty=config.search.length_penalty,
            baseline=Lexicon(),
            subwords=Subwords(kind=config.subwords.kind, vocabulary=config.subwords.vocabulary),
            translator=translator,
            seed=config.seed,
        )

    def fit_baseline(self, splits: Splits) -> Pipeline:
        """Learn the lexicon; it serves until something better is fitted."""
        assert self.baseline is not None
        self.baseline.fit(splits.train)
        if self.baseline.read_ < len(splits.train):
            self.notices.append(
                f"{self.baseline.name} was learned from the first {self.baseline.read_:,} of"
                f" {len(splits.train):,} training pairs, since memory grows with them"
            )
        self.served_ = self.baseline.name
        self.valid_scores_[self.baseline.name] = self._judged(splits, self.baseline.name)
        by_length = sorted(splits.train.sources, key=len)
        self.example_ = by_length[len(by_length) // 2]
        return self

    def fit_subwords(self, splits: Splits) -> Pipeline:
        """Learn one vocabulary of both languages."""
        assert self.subwords is not None
        with as_flags(**FLAGS):
            self.subwords.fit([*splits.train.sources, *splits.train.targets])
        return self

    def fit_transformer(
        self, splits: Splits, *, checkpoints: Path | None = None, resume: bool = False
    ) -> Pipeline:
        """Train the Transformer."""
        assert self.translator is not None and self.subwords is not None
        checkpoint = checkpoints / "transformer" if checkpoints else None
        with as_flags(**FLAGS):
            self.translator.fit(
                splits.train, splits.valid, self.subwords, checkpoint=checkpoint, resume=resume
            )
        if self.translator.left_out_:
            share = self.translator.left_out_ / len(splits.train)
            self.notices.append(
                f"{self.translator.left_out_:,} training pairs ({share:.1%}) have more than"
                f" {self.translator.max_length - 1} pieces on a side: left out of training"
                " (--training.max-length)"
            )
        return self

    def fit_search(self, splits: Splits) -> Pipeline:
        """Translate validation pairs, and let the Transformer serve if they prefer it."""
        assert self.translator is not None and self.baseline is not None
        learned = self.translator.name
        self.valid_scores_[learned] = self._judged(splits, learned)
        judged = min(MOST_JUDGED, len(splits.valid))
        measure = f"BLEU on {judged:,} validation pairs"
        self.served_, notice = preferred(self.valid_scores_, learned, measure=measure)
        self.notices += [notice] if notice else []
        return self

    def best(
        self, texts: Sequence[str], *, by: str = "", beam: int | None = None
    ) -> list[Translation]:
        """Return the best translation of each single sentence, by what serves or by name."""
        if (by or self.served_) == Lexicon.name:
            assert self.baseline is not None
            return [Translation(text, 0.0) for text in self.baseline.translate(texts)]
        found = self._hypotheses(texts, beam or self.beam)
        return [several[0] for several in found]

    def translate(
        self, texts: Sequence[str], *, beam: int | None = None, n: int = 1
    ) -> list[Answer]:
        """Return each text translated sentence by sentence, with the `n` best translations.

        The second best text has the second best translation of each of its sentences, and so on. A
        sentence without a letter (numbers, emoji) stays as it is.
        Raises `ValueError` on a text in which there is nothing to see.
        """
        for row, text in enumerate(texts):
            if not cleaned(text):
                raise ValueError(f"texts[{row}]: it is empty; give a text to translate")
        parts = [sentences(text) for text in texts]
        flat = [part.text for several in parts for part in several if has_words(part.text)]
        if self.served_ == Lexicon.name:
            found = iter([[each] for each in self.best(flat)])
        else:
            found = iter(self._hypotheses(flat, max(beam or self.beam, n)))
        return [
            self._answer(
                several,
                [next(found) if has_words(part.text) else [_copied(part)] * n for part in several],
                n,
            )
            for several in parts
        ]

    def stream(self, text: str) -> Iterator[str]:
        """Yield the greedy translation of a text in pieces, sentence after sentence."""
        for part in sentences(text):
            if not has_words(part.text):
                yield _copied(part).text
            elif self.served_ == Lexicon.name:
                yield self.best([part.text])[0].text
            else:
                assert self.translator is not None
                yield from self.translator.stream(part.text)
            if part.after:
                yield part.after

    def profile(self, splits: Splits) -> pl.DataFrame:
        """Return what drift monitoring compares later: sizes of the source texts, no text."""
        return text_profile(splits.train.sources)

    def save(self, folder: Path) -> None:
        """Write all that `load` needs into an existing folder."""
        serving = self.baseline if self.served_ == Lexicon.name else self.translator
        assert serving is not None, "fit it first"
        serving.save(folder)
        content = {
            "served": self.served_,
            "languages": list(self.languages),
            "beam": self.beam,
            "length_penalty": self.length_penalty,
            "seed": self.seed,
            "notices": self.notices,
            "example": self.example_,
        }
        write_json(folder / "pipeline.json", content)

    @classmethod
    def load(cls, folder: Path) -> Pipeline:
        """Read what `save` wrote; neither the data nor the configuration is needed."""
        content = json.loads((folder / "pipeline.json").read_text(encoding="utf-8"))
        source, target = content["languages"]
        pipeline = cls(
            languages=(source, target),
            beam=content["beam"],
            length_penalty=content["length_penalty"],
            seed=content["seed"],
        )
        pipeline.served_, pipeline.notices = content["served"], content["notices"]
        pipeline.example_ = content["example"]
        if pipeline.served_ == Lexicon.name:
            pipeline.baseline = Lexicon.load(folder)
        else:
            pipeline.translator = Translator.load(folder)
        return pipeline

    def _answer(
        self, parts: Sequence[Sentence], found: Sequence[Sequence[Translation]], n: int
    ) -> Answer:
        """Put the translations of the sentences of one text together, the best first."""
        ranked: dict[str, float] = {}
        for place in range(min(n, *map(len, found))):
            chosen = [each[place] for each in found]
            scores = [
                each.score for part, each in zip(parts, chosen, strict=True) if has_words(part.text)
            ]
            score = sum(scores) / max(len(scores), 1)
            ranked.setdefault(together(parts, [each.text for each in chosen]), score)
        (text, score), *others = ranked.items()
        known = None if self.served_ == Lexicon.name else score
        return Answer(text, known, tuple(others), len(parts), any(each[0].cut for each in found))

    @property
    def valid_score_(self) -> float:
        """The validation BLEU of the stage judged last."""
        return list(self.valid_scores_.values())[-1]

    def _hypotheses(self, texts: Sequence[str], beam: int) -> list[list[Translation]]:
        assert self.translator is not None, "fit or load it first"
        return self.translator.translate(texts, beam=beam, length_penalty=self.length_penalty)

    def _judged(self, splits: Splits, name: str) -> float:
        """Return BLEU of validation pairs by the baseline or the translator."""
        sources, targets = splits.valid.sources[:MOST_JUDGED], splits.valid.targets[:MOST_JUDGED]
        return bleu([each.text for each in self.best(sources, by=name)], targets)


def _copied(part: Sentence) -> Translation:
    return Translation(cleaned(part.text), 0.0)
