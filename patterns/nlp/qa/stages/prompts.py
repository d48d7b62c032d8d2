"""What a causal model is shown: instruction, passage, question, in that order; then it answers.

The passage comes before the question, so that several questions can share what was read of it.
Each piece is turned into ids by itself and the pieces are put together as ids: then a passage has
the same tokens in training, where questions share it, and in an answer. And a passage that holds
the text of a control token, such as "<|im_end|>", stays text: nobody who writes a passage can end
the prompt and give instructions of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokenizers import Tokenizer

NOT_FOUND = "not in the passage"
INSTRUCTION = (
    "Answer the question from the passage, in as few words as possible, copied from it. If the"
    f" passage does not tell, say: {NOT_FOUND}"
)
QUESTION_TOKENS = 96  # of a question; what is longer is cut
CONTROL = ("<passage>", "<question>", "<answer>", "<end>")
PASSAGE_MARK, QUESTION_MARK = "\N{SYMBOL FOR START OF TEXT}", "\N{SYMBOL FOR ENQUIRY}"


@dataclass(frozen=True)
class Prompt:
    """How passages, questions and answers become ids, and ids an answer."""

    encode: Callable[[str], list[int]]
    decode: Callable[[Sequence[int]], str]
    before: tuple[int, ...]
    """What stands before the passage."""
    between: tuple[int, ...]
    after: tuple[int, ...]
    """What stands between the question and the answer."""
    nothing: str
    """What is answered where the passage does not tell."""
    stop: tuple[int, ...]
    """Tokens that end an answer; the first is the one that training ends it with."""
    passage_tokens: int
    """What is read of a passage."""

    def passage(self, text: str) -> list[int]:
        """Return the ids up to the end of the passage."""
        return [*self.before, *self.encode(well_formed(text))[: self.passage_tokens]]

    def question(self, text: str) -> list[int]:
        """Return the ids from the end of the passage to where the answer begins."""
        ids = self.encode(well_formed(text))[:QUESTION_TOKENS]
        return [*self.between, *ids, *self.after]

    def answer(self, text: str) -> list[int]:
        """Return the ids of an answer with its end."""
        return [*self.encode(well_formed(text)), self.stop[0]]

    def __call__(self, question: str, passage: str) -> list[int]:
        """Return the ids after which the answer is written."""
        return [*self.passage(passage), *self.question(question)]


def chat_prompt(tokenizer: Any, *, max_length: int, max_new_tokens: int, ends: Any = ()) -> Prompt:
    """Make the prompt of a transformers tokenizer: its chat template, or plain words without one.

    `ends` are further tokens that end an answer, as the model's configuration names them.
    """

    def encode(text: str) -> list[int]:
        return tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)

    def control(text: str) -> list[int]:
        return tokenizer.encode(text, add_special_tokens=False)

    def decode(ids: Sequence[int]) -> str:
        return tokenizer.decode(
            list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
        )

    content = f"Passage:\n{PASSAGE_MARK}\n\nQuestion:\n{QUESTION_MARK}"
    whole = _rendered(tokenizer, content)
    before, rest = whole.split(PASSAGE_MARK)
    between, after = rest.split(QUESTION_MARK)
    others = [ends] if isinstance(ends, int) else list(ends or ())
    stop = [each for each in (tokenizer.eos_token_id, *others) if each is not None]
    if not stop:
        raise ValueError("model: its tokenizer has no token that ends a text; choose another model")
    return _fitted(
        Prompt(
            encode, decode, tuple(control(before)), tuple(control(between)), tuple(control(after)),
            NOT_FOUND, tuple(dict.fromkeys(stop)), 0,
        ),
        max_length, max_new_tokens,
    )  # fmt: skip


def _rendered(tokenizer: Any, content: str) -> str:
    """Put the instruction and the content into the chat template, or plain words without one."""
    from jinja2.exceptions import TemplateError

    if not tokenizer.chat_template:
        return f"{INSTRUCTION}\n\n{content}\nAnswer:"
    system = {"role": "system", "content": INSTRUCTION}
    options = {"tokenize": False, "add_generation_prompt": True}
    try:
        messages = [system, {"role": "user", "content": content}]
        return tokenizer.apply_chat_template(messages, **options)
    except TemplateError:  # of a model that knows no system role
        messages = [{"role": "user", "content": f"{INSTRUCTION}\n\n{content}"}]
        return tokenizer.apply_chat_template(messages, **options)


def plain_prompt(tokenizer: Tokenizer, *, max_length: int, max_new_tokens: int) -> Prompt:
    """Make the prompt of the small GPT: one control token before each piece."""

    def encode(text: str) -> list[int]:
        return tokenizer.encode(text).ids

    def decode(ids: Sequence[int]) -> str:
        return tokenizer.decode(list(ids))

    passage, question, answer, end = (int(tokenizer.token_to_id(each)) for each in CONTROL)
    prompt = Prompt(encode, decode, (passage,), (question,), (answer,), "", (end,), 0)
    return _fitted(prompt, max_length, max_new_tokens)


def well_formed(text: str) -> str:
    """Return the text with lone surrogates, which no tokenizer takes, as question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


def abstains(text: str) -> bool:
    """Whether an answer says that the passage does not tell."""
    return text.strip().rstrip(".").lower() in ("", NOT_FOUND)


def _fitted(prompt: Prompt, max_length: int, max_new_tokens: int) -> Prompt:
    """Give the passage what `max_length` leaves beside the longest question and answer."""
    around = len(prompt.before) + len(prompt.between) + len(prompt.after)
    room = max_length - around - QUESTION_TOKENS - max_new_tokens - 1
    if room < 1:
        raise ValueError(
            f"max_length: {max_length} tokens leave no room for a passage; give more than"
            f" {max_length - room}"
        )
    return replace(prompt, passage_tokens=room)
