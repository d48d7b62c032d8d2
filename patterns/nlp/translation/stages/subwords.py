"""Texts to pieces and back: a vocabulary of some thousand pieces that spells every text.

- BPE (Sennrich et al. 2016): begin with single bytes and merge the most frequent neighbouring pair
  again and again; common words end as one piece, rare ones as several, and any text as its bytes.
- a unigram model (Kudo 2018), of SentencePiece: begin with many pieces, and drop those whose loss
  costs the likelihood of the texts least; a text is cut in its likeliest way. What no piece spells
  becomes bytes.

One vocabulary serves both languages, so that names, numbers and words they share are one piece, and
one matrix can be the embedding of both sides. Texts come back exactly as they went in, after
Unicode's NFC; the pieces PAD, START and END lie outside the tokenizer's own, so a text that holds
"</s>" is text.
"""

from __future__ import annotations

import io
import json
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from common.atomic import write_json

PAD, START, END = 0, 1, 2
SPECIAL = 3  # how many pieces come before the tokenizer's own
KINDS = ("bpe", "sentencepiece")
FACTS, BPE_FILE, MODEL_FILE = "subwords.json", "bpe.json", "unigram.model"
BLANK, ESCAPE = "\u2581", "\u2582"  # SentencePiece writes a blank as the first


class Subwords:
    """A vocabulary of `vocabulary` pieces at most, learned from texts of both languages."""

    def __init__(self, *, kind: str = "bpe", vocabulary: int = 4000) -> None:
        if kind not in KINDS:
            raise ValueError(f"kind: {kind!r} is not known; use one of {', '.join(KINDS)}")
        self.kind, self.vocabulary = kind, vocabulary
        self.model_: Any = None
        self.size_ = 0  # pieces, PAD, START and END among them

    def fit(self, texts: Iterable[str]) -> Self:
        """Learn the pieces."""
        own = self.vocabulary - SPECIAL
        lines = (normalised(text) for text in texts)
        self.model_ = _bpe(lines, own) if self.kind == "bpe" else _unigram(lines, own)
        self.size_ = SPECIAL + self._own_size()
        return self

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the pieces of each text, without START and END."""
        assert self.model_ is not None, "fit or load it first"
        lines = [normalised(text) for text in texts]
        if self.kind == "bpe":
            found = [each.ids for each in self.model_.encode_batch(lines)]
        else:
            found = self.model_.encode([_escaped(line) for line in lines])
        return [[SPECIAL + piece for piece in pieces] for pieces in found]

    def decode(self, ids: Iterable[Sequence[int]]) -> list[str]:
        """Return texts; PAD, START and END are left out, bytes that are no UTF-8 become U+FFFD."""
        assert self.model_ is not None, "fit or load it first"
        found = [[piece - SPECIAL for piece in pieces if piece >= SPECIAL] for pieces in ids]
        if self.kind == "bpe":
            return self.model_.decode_batch(found)
        return [_unescaped(self.model_.decode(pieces)) for pieces in found]

    def save(self, folder: Path) -> None:
        """Write the vocabulary."""
        assert self.model_ is not None, "fit it first"
        if self.kind == "bpe":
            (folder / BPE_FILE).write_text(self.model_.to_str(), encoding="utf-8")
        else:
            (folder / MODEL_FILE).write_bytes(self.model_.serialized_model_proto())
        write_json(folder / FACTS, {"kind": self.kind, "vocabulary": self.vocabulary})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a saved vocabulary."""
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        stage = cls(kind=facts["kind"], vocabulary=facts["vocabulary"])
        if stage.kind == "bpe":
            from tokenizers import Tokenizer

            stage.model_ = Tokenizer.from_str((folder / BPE_FILE).read_text(encoding="utf-8"))
        else:
            stage.model_ = _processor((folder / MODEL_FILE).read_bytes())
        stage.size_ = SPECIAL + stage._own_size()
        return stage

    def _own_size(self) -> int:
        return int(self.model_.get_vocab_size() if self.kind == "bpe" else self.model_.vocab_size())


def normalised(text: str) -> str:
    """Return the text in NFC; half a surrogate pair, which no encoding has, becomes U+FFFD."""
    sound = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return unicodedata.normalize("NFC", sound)


def _bpe(lines: Iterator[str], vocabulary: int) -> Any:
    """Learn merges of bytes; a piece does not cross from a word into the next."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    model = Tokenizer(models.BPE())
    model.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    model.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    model.train_from_iterator(lines, trainer)
    return model


def _unigram(lines: Iterator[str], vocabulary: int) -> Any:
    """Learn a unigram model that changes nothing of a text and falls back on bytes."""
    import sentencepiece

    written = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=map(_escaped, lines),
            model_writer=written,
            model_type="unigram",
            vocab_size=vocabulary,
            hard_vocab_limit=False,
            byte_fallback=True,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            add_dummy_prefix=False,
            unk_id=0, bos_id=-1, eos_id=-1, pad_id=-1,
            num_threads=1,
            minloglevel=2,
        )  # fmt: skip
    except RuntimeError as problem:
        said = str(problem).rsplit(". ", 1)[0].rsplit("] ", 1)[-1]
        raise ValueError(
            f"vocabulary: SentencePiece makes no {vocabulary} pieces of these texts ({said}); give"
            " another number"
        ) from problem
    return _processor(written.getvalue())


def _escaped(text: str) -> str:
    """Write the sign that SentencePiece takes for a blank in another way."""
    return text.replace(ESCAPE, ESCAPE + "b").replace(BLANK, ESCAPE + "a")


def _unescaped(text: str) -> str:
    return text.replace(ESCAPE + "a", BLANK).replace(ESCAPE + "b", ESCAPE)


def _processor(model: bytes) -> Any:
    import sentencepiece

    return sentencepiece.SentencePieceProcessor(model_proto=model)
