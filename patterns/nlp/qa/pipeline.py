"""The boxes wired: chunks -> retrieval -> re-ranking -> reader or generator -> answer, or none.

The only place that turns the configuration into stages. `answer` is the verb, batch first: a
question with a context is read in it; one without is answered from the passages that were indexed,
and the answer cites one. What reads is what the validation questions prefer, the baseline included;
of equals the simpler one. What is saved is what serves: the exported reader, the torch one, or the
baseline, as `pipeline.json` says, with the indexes and, where there is one, the generator.
"""

from __future__ import annotations

import json
from collections.abc import Generator as Pieces
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from common.artifacts import Savable
from common.atomic import write_json
from common.config import as_flags
from common.encoders import EncoderUnavailable, load_encoder
from common.evaluation.parity import Parity
from common.preference import preferred
from common.timing import StageTimes
from patterns.nlp.qa.config import Config
from patterns.nlp.qa.data import Splits
from patterns.nlp.qa.entities.answers import Answer
from patterns.nlp.qa.entities.questions import Questions, check_texts, question_profile
from patterns.nlp.qa.stages.abstention import Abstention, spoken
from patterns.nlp.qa.stages.answering import Answering, Read, given, read_passages, written
from patterns.nlp.qa.stages.chunks import Chunker
from patterns.nlp.qa.stages.export import export, parity
from patterns.nlp.qa.stages.overlap import OverlapReader
from patterns.nlp.qa.stages.retrieval import Retriever
from patterns.nlp.qa.stages.score import f1_scores
from patterns.nlp.qa.stages.servable import (
    Generator,
    Reader,
    load_generator,
    load_reader,
    make_generator,
)

if TYPE_CHECKING:
    import polars as pl

    from patterns.nlp.qa.stages.reader import SpanReader

BASELINE = "overlap"
JUDGED = 400  # validation questions that choose a model and the threshold of reading
FUSED = 1500  # that choose the fusion
ANSWERED = 200  # that choose the re-ranking and the threshold of answering
COMPARED = 200  # on which an export is compared


class Pipeline:
    """A question answerer with its baseline, and its torch form while it is trained."""

    def __init__(
        self,
        *,
        k: int = 3,
        passages: int = 5,
        baseline: OverlapReader | None = None,
        reader: SpanReader | None = None,
        chunker: Chunker | None = None,
        retriever: Retriever | None = None,
        answering: Answering | None = None,
        generator: Generator | None = None,
        fallback: bool = True,
        runtime: str = "torch",
        index: str = "test",
        tested: Mapping[str, int] | None = None,
        seed: int = 0,
    ) -> None:
        """With `fallback` the baseline serves if the reader's weights are not available.

        `tested`: how many test `questions` are read, `retrieved` for and `generated`; 0 for all.
        """
        self.k, self.passages, self.seed = k, passages, seed
        self.baseline, self.reader, self.fallback = baseline, reader, fallback
        self.chunker, self.retriever, self.answering = chunker, retriever, answering
        self.generator, self.runtime, self.indexed = generator, runtime, index
        self.tested = {"questions": 0, "retrieved": 0, "generated": 0} | dict(tested or {})
        self.notices: list[str] = []
        self.served_: Reader | None = None
        self.trained_: SpanReader | None = None  # the reader, once it is
        self.given_: dict[str, Abstention] = {}  # of a reader by its name, where a context is given
        self.valid_scores_: dict[str, float] = {}  # name -> F1 on validation
        self.parity_: Parity | None = None
        self.generator_: Generator | None = None
        self.example_: dict[str, str] = {}  # a training question with its context

    @classmethod
    def from_config(cls, config: Config, splits: Splits) -> Pipeline:
        """Make the unfitted stages."""
        retrieval, answering = config.retrieval, config.answering
        encoder = load_encoder(retrieval.encoder, device=config.device)
        return cls(
            k=config.k,
            passages=answering.passages,
            baseline=OverlapReader(),
            reader=None if config.model == BASELINE else _reader(config),
            chunker=Chunker(words=retrieval.chunk_words, overlap=retrieval.overlap_words),
            retriever=Retriever(encoder=encoder, candidates=retrieval.candidates),
            answering=Answering(wrong_cost=answering.wrong_cost),
            generator=_generator(config),
            fallback=config.model == "auto",
            runtime=config.runtime,
            index=retrieval.index,
            tested=vars(config.evaluation),
            seed=config.seed,
        )

    def fit_baseline(self, splits: Splits) -> Pipeline:
        """Count words; it reads until something better is fitted."""
        assert self.baseline is not None
        self.served_ = self.baseline.fit(splits.train)
        judged = self._judged(splits)
        said = spoken(self.baseline.read(judged.texts, judged.contexts), judged)
        scores = f1_scores(said, judged.answers)
        self.valid_scores_[self.baseline.name] = float(scores.mean())
        self.example_ = splits.train.example
        return self

    def fit_reader(
        self, splits: Splits, *, checkpoints: Path | None = None, resume: bool = False
    ) -> Pipeline:
        """Fine-tune the transformer; it reads if the validation questions prefer it."""
        assert self.baseline is not None
        if self.reader is None:
            return self
        checkpoint = checkpoints / "reader" if checkpoints else None
        try:
            self.reader.fit(splits.train, splits.valid, checkpoint=checkpoint, resume=resume)
        except EncoderUnavailable as missing:
            if not self.fallback:
                raise
            self.notices.append(f"No transformer to fine-tune, word overlap answers: {missing}")
            return self
        self.trained_ = self.reader
        assert self.reader.history_ is not None
        self.valid_scores_[self.reader.name] = max(self.reader.history_.valid)
        unread = self.reader.unread(splits.train)
        self.notices += [f"{unread} (--reader.budget)."] if unread else []
        measure = f"F1 on {len(self._judged(splits)):,} validation questions"
        served, notice = preferred(self.valid_scores_, self.reader.name, measure=measure)
        self.served_ = self.reader if served == self.reader.name else self.baseline
        self.notices += [notice] if notice else []
        return self

    def fit_export(self, splits: Splits) -> Pipeline:
        """Put ONNX Runtime in service if asked for and if it reads as the trained reader does."""
        if self.runtime != "onnx" or self.trained_ is None or self.served_ is not self.trained_:
            return self
        some = splits.valid.sample(COMPARED, seed=self.seed)
        exported = export(self.trained_)
        self.parity_ = parity(exported, self.trained_, some.texts, some.contexts)
        self.served_ = exported if self.parity_.holds else self.trained_
        self.notices += [self.parity_.notice] if self.parity_.notice else []
        return self

    def fit_threshold(self, splits: Splits) -> Pipeline:
        """Fit how sure the baseline and the served reader are with a context, and when to abstain.

        Without questions that have no answer, every question gets one.
        """
        assert self.baseline is not None and self.served_ is not None
        judged = self._judged(splits)
        readers: dict[str, Reader] = {each.name: each for each in (self.baseline, self.served_)}
        for name, reader in readers.items():
            found = reader.read(judged.texts, judged.contexts)
            self.given_[name] = Abstention().fit_read(found, judged)
        return self

    def fit_retrieval(self, splits: Splits) -> Pipeline:
        """Index the validation paragraphs, and choose BM25's constants and the fusion on them."""
        assert self.retriever is not None and self.chunker is not None
        with as_flags(passages="data.path"):
            self.retriever.index(self.chunker.cut(splits.valid.paragraphs))
        answered = [row for row, q in enumerate(splits.valid.questions) if q.answerable]
        some = splits.valid.some(answered).sample(FUSED, seed=self.seed)
        if len(some):
            self.retriever.fit(some.texts, some.paragraph_ids)
        return self

    def fit_answering(self, splits: Splits) -> Pipeline:
        """Choose the weight of the re-ranking and the threshold on validation questions."""
        assert self.answering is not None
        some = splits.valid.sample(ANSWERED, seed=self.seed)
        self.answering.fit(self.read(some.texts), some.answers)
        return self

    def fit_index(self, splits: Splits) -> Pipeline:
        """Index what is evaluated and served: the test paragraphs, or those of all parts."""
        assert self.retriever is not None and self.chunker is not None
        paragraphs = list(splits.test.paragraphs)
        if self.indexed == "all":
            paragraphs += splits.valid.paragraphs + splits.train.paragraphs
        self.retriever.index(self.chunker.cut(paragraphs))
        self.notices += self.retriever.notices_
        return self

    def fit_generator(
        self, splits: Splits, *, checkpoints: Path | None = None, resume: bool = False
    ) -> Pipeline:
        """Tune or train the generator, if one is asked for."""
        if self.generator is not None:
            checkpoint = checkpoints / "generator" if checkpoints else None
            self.generator_ = self.generator.fit(
                splits.train, splits.valid, checkpoint=checkpoint, resume=resume
            )
        return self

    def read(self, questions: Sequence[str], *, times: StageTimes | None = None) -> Read:
        """Retrieve and read the passages of each question; without an index it fails."""
        assert self.served_ is not None and self.retriever is not None, "fit or load it first"
        times = times or StageTimes()
        with times("retrieve"):
            found = self.retriever.retrieve(questions, self.passages)
        with times("read"):
            return read_passages(self.served_, questions, self.retriever.passages_, found)

    def answer(
        self,
        questions: Sequence[str],
        contexts: Sequence[str] | None = None,
        *,
        k: int | None = None,
        generate: bool = True,
        times: StageTimes | None = None,
    ) -> list[Answer]:
        """Answer each question from its context, or from the indexed passages without contexts.

        `k` is how many possible answers each carries; to `generate` needs a generator, or is
        nothing. Raises `ValueError` on a question or a context that is empty or only white space.
        """
        times = times or StageTimes()
        answers, texts = self._read(questions, contexts, k or self.k, times)
        if self.generator_ is None or not generate:
            return answers
        with times("generate"):
            said = self.generator_.answer(questions, texts)
        return [written(*each) for each in zip(answers, said, texts, strict=True)]

    def stream(
        self, question: str, context: str | None, *, k: int, times: StageTimes
    ) -> Pieces[str, None, Answer]:
        """Yield the generated answer in pieces, and return what `answer` would give."""
        assert self.generator_ is not None, "it has no generator"
        texts = [context] if context is not None else None
        (answer,), (text,) = self._read([question], texts, k, times)
        said = ""
        if not answer.abstained:
            with times("generate"):
                for piece in self.generator_.stream(question, text):
                    said += piece
                    yield piece
        return written(answer, said, text)

    def _read(
        self, questions: Sequence[str], contexts: Sequence[str] | None, k: int, times: StageTimes
    ) -> tuple[list[Answer], list[str]]:
        """Return the reader's answers, and the text that each was found in."""
        check_texts("questions", questions, "give a question")
        if not len(questions):
            return [], []
        if contexts is None:
            assert self.retriever is not None and self.answering is not None
            read, passages = self.read(questions, times=times), self.retriever.passages_
            rows = range(len(questions))
            answers = [self.answering.answer(read, passages, row, k=k) for row in rows]
            return answers, [each.passage.text if each.passage else "" for each in answers]
        check_texts("contexts", contexts, "give a text to read, or none to search")
        assert self.served_ is not None and len(contexts) == len(questions)
        with times("read"):
            readings = self.served_.read(questions, contexts)
        abstention = self.given_[self.served_.name]
        return [given(reading, abstention, k=k) for reading in readings], list(contexts)

    def truncates(self, questions: Sequence[str]) -> list[bool]:
        """Tell which questions are too long to be read whole; contexts always are."""
        assert self.served_ is not None, "fit or load it first"
        return self.served_.truncates(questions)

    def profile(self, splits: Splits) -> pl.DataFrame:
        """Return what drift monitoring compares later: sizes of the questions, no text."""
        return question_profile(splits.train)

    def save(self, folder: Path) -> None:
        """Write all that `load` needs into an existing folder."""
        assert self.served_ is not None and self.answering is not None, "fit it first"
        assert self.retriever is not None
        parts: dict[str, Savable] = {
            "reader": self.served_, "retrieval": self.retriever, "answering": self.answering,
            "given": self.given_[self.served_.name],
        }  # fmt: skip
        parts |= {"generator": self.generator_} if self.generator_ else {}
        for name, stage in parts.items():
            (folder / name).mkdir()
            stage.save(folder / name)
        content = {
            "kind": self.served_.kind, "k": self.k, "passages": self.passages, "seed": self.seed,
            "generator": self.generator_.kind if self.generator_ else None,
            "notices": self.notices, "example": self.example_,
        }  # fmt: skip
        write_json(folder / "pipeline.json", content)

    @classmethod
    def load(cls, folder: Path) -> Pipeline:
        """Read what `save` wrote; neither the data nor the configuration is needed."""
        content = json.loads((folder / "pipeline.json").read_text(encoding="utf-8"))
        pipeline = cls(
            k=content["k"], passages=content["passages"], seed=content["seed"],
            retriever=Retriever.load(folder / "retrieval"),
            answering=Answering.load(folder / "answering"),
        )  # fmt: skip
        pipeline.notices, pipeline.example_ = content["notices"], content["example"]
        pipeline.served_ = load_reader(content["kind"], folder / "reader")
        pipeline.given_ = {pipeline.served_.name: Abstention.load(folder / "given")}
        if content["generator"]:
            pipeline.generator_ = load_generator(content["generator"], folder / "generator")
        return pipeline

    @property
    def valid_score_(self) -> float:
        """The validation F1 of the reader fitted last."""
        return list(self.valid_scores_.values())[-1]

    def _judged(self, splits: Splits) -> Questions:
        return splits.valid.sample(JUDGED, seed=self.seed)


def _generator(config: Config) -> Generator | None:
    if config.generator == "none":
        return None
    shared = {**vars(config.writing), "device": config.device, "seed": config.seed}
    if config.generator == "gpt":
        return make_generator("gpt", **vars(config.gpt), **shared)
    rank = config.lora.rank if config.generator == "smollm2-lora" else 0
    return make_generator("causal", **{**vars(config.lora), "rank": rank}, **shared)


def _reader(config: Config) -> SpanReader:
    from patterns.nlp.qa.stages.reader import SpanReader

    return SpanReader(
        model=config.model, **vars(config.reader), device=config.device, seed=config.seed
    )
