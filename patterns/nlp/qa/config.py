"""Configuration of question answering, and the presets to start from.

`smoke` runs in seconds on a simulated gazetteer and is what the tests use. `default` is the run the
README reports: minutes on two cores. `large` is for an evening or a GPU. The defaults were chosen
on articles cut from SQuAD's training part, never on its development part, which is the test.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Interval

from common.config import RunConfig

NAME = "nlp/qa"


@dataclass(frozen=True)
class DataOptions:
    """Where your own questions are, as SQuAD's JSON."""

    path: Path | None = None
    """File of all questions, or a folder with files named train, valid (dev) and test."""
    train: Path | None = None
    """Training questions, in place of `path`."""
    valid: Path | None = None
    """Validation questions; without them some training articles are cut off."""
    test: Path | None = None
    """Test questions; without them a fifth of the articles is drawn."""
    incomplete: Literal["refuse", "skip"] = "refuse"
    """Questions without text or without an answer that stands in their paragraph: refuse the file,
    or skip them and say how many."""


@dataclass(frozen=True)
class WorldOptions:
    """Size of the simulated world, if it is used."""

    articles: Annotated[int, Interval(ge=8, le=352)] = 60
    """Towns, of four paragraphs each."""
    unanswerable: Annotated[float, Interval(ge=0, le=0.2)] = 0.15
    """Share of the questions that no paragraph answers."""


@dataclass(frozen=True)
class SplitOptions:
    """How the training articles are split; the test articles are the dataset's own."""

    valid_share: Annotated[float, Interval(ge=0.01, le=0.5)] = 0.05
    """Share of the training articles that chooses the epoch, the fusion and the thresholds; not
    used if the data has a validation part."""
    limit: Annotated[int, Interval(ge=0, le=10**9)] = 0
    """Use at most this many training questions, drawn at random; 0 for all."""


@dataclass(frozen=True)
class ReaderOptions:
    """How the transformer that marks answers is fine-tuned."""

    epochs: Annotated[int, Interval(ge=0, le=1000)] = 0
    """0 takes 2, more for few questions, fewer where `budget` would be exceeded."""
    budget: Annotated[int, Interval(ge=1000, le=10**12)] = 1_400_000
    """Tokens to read in all epochs together, if `epochs` is 0; 1,400,000 take MiniLM about six
    minutes on two cores. Where the training questions need more, a part of them is drawn."""
    batch_size: Annotated[int, Interval(ge=1, le=65_536)] = 16
    learning_rate: Annotated[float, Interval(ge=0, le=1)] = 0.0
    """Peak rate of the top layer; it warms up, then falls linearly to 0. 0 takes 8e-4 for encoders
    as narrow as MiniLM (384) and 5e-5 for wider ones."""
    head_factor: Annotated[float, Interval(ge=0.01, le=1000)] = 5.0
    """The new layer of starts and ends learns this many times faster."""
    layer_decay: Annotated[float, Interval(ge=0.01, le=1)] = 0.9
    """Each layer below the top learns this many times as fast as the one above it."""
    warmup: Annotated[float, Interval(ge=0, le=0.9)] = 0.1
    """Share of the steps over which the rate rises."""
    weight_decay: Annotated[float, Interval(ge=0, le=10)] = 0.01
    dropout: Annotated[float, Interval(ge=0, le=0.9)] = 0.0
    """Share of the activations dropped in all layers; for several epochs of few questions."""
    max_length: Annotated[int, Interval(ge=32, le=8192)] = 256
    """Tokens of a question with a window of its context; a longer context has several windows."""
    train_length: Annotated[int, Interval(ge=32, le=8192)] = 160
    """The same in training, where a window around the answer is enough."""
    stride: Annotated[int, Interval(ge=0, le=4096)] = 64
    """Tokens that two windows of a context share, so that no answer is cut by both."""
    max_question: Annotated[int, Interval(ge=4, le=1024)] = 48
    """Tokens that a question is cut to."""
    max_answer: Annotated[int, Interval(ge=1, le=1024)] = 30
    """Tokens of the longest answer."""
    negatives: Annotated[float, Interval(ge=0, le=0.9)] = 0.1
    """Share of the training windows without an answer: the question beside another paragraph of
    its article. What cannot tell when a passage does not answer cannot choose between passages."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """auto uses bf16 if the processor supports it in hardware."""


@dataclass(frozen=True)
class RetrievalOptions:
    """How passages are cut, indexed and found where no context is given."""

    encoder: str = "auto"
    """Encoder of the dense index: auto (all-MiniLM-L6-v2 if available, else TF-IDF + SVD),
    tfidf-svd, a hub name, or a folder."""
    chunk_words: Annotated[int, Interval(ge=8, le=10_000)] = 160
    """Words of a passage; a longer paragraph becomes several."""
    overlap_words: Annotated[int, Interval(ge=0, le=5_000)] = 40
    """Words that two passages of a paragraph share."""
    candidates: Annotated[int, Interval(ge=1, le=10_000)] = 100
    """Passages that each source hands to the fusion."""
    index: Literal["test", "all"] = "test"
    """Whose paragraphs are searched, in the evaluation and by the service: those of the test part,
    or of all parts."""


@dataclass(frozen=True)
class AnsweringOptions:
    """How one answer comes from several passages."""

    passages: Annotated[int, Interval(ge=1, le=100)] = 5
    """Passages that are read for a question without a context."""
    wrong_cost: Annotated[float, Interval(ge=0, le=100)] = 0.5
    """What a wrong answer costs, in right ones, where passages were retrieved: above 0 the service
    would rather say nothing than guess."""


@dataclass(frozen=True)
class WritingOptions:
    """How a generator writes its answers."""

    max_new_tokens: Annotated[int, Interval(ge=1, le=4096)] = 32
    """Tokens of the longest answer."""
    temperature: Annotated[float, Interval(ge=0, le=100)] = 0.0
    """0 always takes the most likely token; above it, tokens are drawn."""
    top_k: Annotated[int, Interval(ge=0, le=10**6)] = 0
    """Draw from this many most likely tokens; 0 from all."""
    top_p: Annotated[float, Interval(ge=0.01, le=1)] = 1.0
    """Draw from the most likely tokens that together have this probability."""
    max_length: Annotated[int, Interval(ge=192, le=1_000_000)] = 512
    """Tokens of instruction, passage, question and answer; a longer passage is cut."""


@dataclass(frozen=True)
class LoraOptions:
    """How a causal language model is tuned, for `--generator smollm2-lora`."""

    model: str = "auto"
    """auto (SmolLM2-135M-Instruct), the hub name of a causal language model, or a folder; smollm2
    takes it as it comes."""
    rank: Annotated[int, Interval(ge=1, le=4096)] = 16
    """Rank of the matrices that are added to each linear layer."""
    alpha: Annotated[float, Interval(ge=0, le=10_000)] = 32.0
    """They are scaled by alpha / rank."""
    epochs: Annotated[int, Interval(ge=1, le=1000)] = 1
    budget: Annotated[int, Interval(ge=1000, le=10**12)] = 150_000
    """Tokens to read in all epochs together; where the training questions need more, a part of
    their paragraphs is drawn."""
    batch_tokens: Annotated[int, Interval(ge=64, le=10**7)] = 800
    """Tokens of a step."""
    learning_rate: Annotated[float, Interval(ge=1e-8, le=1)] = 1e-3
    """Peak rate; it warms up, then falls linearly to 0."""
    warmup: Annotated[float, Interval(ge=0, le=0.9)] = 0.1
    weight_decay: Annotated[float, Interval(ge=0, le=10)] = 0.0
    dropout: Annotated[float, Interval(ge=0, le=0.9)] = 0.0
    """Share of an adapter's inputs dropped in training."""
    unanswerable: Annotated[float, Interval(ge=0, le=0.9)] = 0.15
    """Share of training questions borrowed from other paragraphs of the article, which teach to
    abstain; none where the data has its own without an answer."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """auto uses bf16 if the processor supports it in hardware."""


@dataclass(frozen=True)
class GptOptions:
    """How large the small GPT is and how it is trained, for `--generator gpt`."""

    vocabulary: Annotated[int, Interval(ge=300, le=100_000)] = 2000
    """Byte pairs, bytes included."""
    width: Annotated[int, Interval(ge=8, le=8192)] = 128
    layers: Annotated[int, Interval(ge=1, le=96)] = 4
    heads: Annotated[int, Interval(ge=1, le=96)] = 4
    epochs: Annotated[int, Interval(ge=0, le=10_000)] = 0
    """0 takes as many as `budget` allows."""
    budget: Annotated[int, Interval(ge=1000, le=10**12)] = 3_000_000
    """Tokens to read in all epochs together, if `epochs` is 0."""
    batch_tokens: Annotated[int, Interval(ge=64, le=10**7)] = 2000
    learning_rate: Annotated[float, Interval(ge=1e-8, le=1)] = 3e-3
    """Peak rate; it warms up, then falls along a cosine to 0."""
    warmup: Annotated[float, Interval(ge=0, le=0.9)] = 0.1
    weight_decay: Annotated[float, Interval(ge=0, le=10)] = 0.05
    dropout: Annotated[float, Interval(ge=0, le=0.9)] = 0.0
    language: Annotated[float, Interval(ge=0, le=100)] = 1.0
    """Weight of the loss on passages and questions beside that on answers; 0 for answers alone."""
    unanswerable: Annotated[float, Interval(ge=0, le=0.9)] = 0.15
    """As of LoRA."""


@dataclass(frozen=True)
class EvaluationOptions:
    """How many test questions are read; 0 for all."""

    questions: Annotated[int, Interval(ge=0, le=10**9)] = 2000
    """Questions read with the right context, drawn at random."""
    retrieved: Annotated[int, Interval(ge=0, le=10**9)] = 300
    """Questions answered from retrieved passages, the first of those; recall is of all."""
    generated: Annotated[int, Interval(ge=0, le=10**9)] = 100
    """Questions answered by the generator, drawn from those."""


@dataclass(frozen=True)
class Config(RunConfig):
    """Question answering; `--dataset` takes squad, simulated-questions, or for your own questions
    squad-json.
    """

    own_datasets = ("squad-json",)
    own_files = ("path", "train", "valid", "test")
    own_needed = ("path", "train")

    model: str = "auto"
    """The reader: auto (all-MiniLM-L6-v2 if available, else word overlap), a hub name such as
    distilbert-base-uncased, a folder, or overlap (the baseline alone)."""
    runtime: Literal["onnx", "torch"] = "onnx"
    """What serves a transformer: onnx (exported, checked against torch) or torch."""
    generator: Literal["none", "smollm2", "smollm2-lora", "gpt"] = "none"
    """What words the answer from the best passage: none (the reader's span), smollm2
    (SmolLM2-135M-Instruct as it comes, or `lora.model`), smollm2-lora (tuned here) or gpt (a small
    one, trained here from scratch)."""
    k: Annotated[int, Interval(ge=1, le=100)] = 3
    """How many spans an answer carries."""
    data: DataOptions = field(default_factory=DataOptions)
    world: WorldOptions = field(default_factory=WorldOptions)
    split: SplitOptions = field(default_factory=SplitOptions)
    reader: ReaderOptions = field(default_factory=ReaderOptions)
    retrieval: RetrievalOptions = field(default_factory=RetrievalOptions)
    answering: AnsweringOptions = field(default_factory=AnsweringOptions)
    writing: WritingOptions = field(default_factory=WritingOptions)
    lora: LoraOptions = field(default_factory=LoraOptions)
    gpt: GptOptions = field(default_factory=GptOptions)
    evaluation: EvaluationOptions = field(default_factory=EvaluationOptions)

    def __post_init__(self) -> None:
        """Check the fields, and what spans two of them."""
        super().__post_init__()
        if self.data.path is not None and self.data.train is not None:
            raise ValueError(
                "data.train: path names training questions too; leave out --data.train or"
                " --data.path"
            )
        if not self.model.strip():
            raise ValueError("model: it is empty; give --model auto, overlap, or a hub name")
        if self.gpt.width % self.gpt.heads:
            raise ValueError(
                f"gpt.heads: {self.gpt.heads} does not divide the width {self.gpt.width}; give"
                " --gpt.heads or --gpt.width another value"
            )
        if not self.lora.model.strip():
            raise ValueError("lora.model: it is empty; give --lora.model auto, or a hub name")
        reader, retrieval = self.reader, self.retrieval
        least = reader.max_question + reader.stride + 8
        for name in ("max_length", "train_length"):
            if getattr(reader, name) < least:
                raise ValueError(
                    f"reader.{name}: {getattr(reader, name)} leaves no room for a context beside"
                    f" {reader.max_question} tokens of the question and a stride of"
                    f" {reader.stride}; give --reader.{name.replace('_', '-')} {least} or more"
                )
        if retrieval.overlap_words >= retrieval.chunk_words:
            raise ValueError(
                f"retrieval.overlap_words: {retrieval.overlap_words} is not below chunk_words"
                f" ({retrieval.chunk_words}); give --retrieval.overlap-words a smaller value"
            )


DEFAULT = Config()
PRESETS = {
    "smoke": replace(
        DEFAULT,
        dataset="simulated-questions",
        runtime="torch",
        world=WorldOptions(articles=40),
        split=SplitOptions(valid_share=0.1),
        retrieval=RetrievalOptions(encoder="tfidf-svd"),
        reader=ReaderOptions(epochs=1, batch_size=16, max_length=96, train_length=96, stride=24,
                             max_question=24, max_answer=8),
        evaluation=EvaluationOptions(questions=60, retrieved=20),
    ),
    "default": DEFAULT,
    "large": replace(
        DEFAULT,
        model="distilbert-base-uncased",
        split=SplitOptions(valid_share=0.02),
        reader=ReaderOptions(epochs=2, batch_size=32, max_length=384, train_length=384, stride=128),
        evaluation=EvaluationOptions(questions=0, retrieved=2000),
    ),
}  # fmt: skip
