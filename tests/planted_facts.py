"""Planted passages of plain facts, and a causal model small enough to test with."""

from pathlib import Path

import numpy as np

from patterns.nlp.qa.entities.questions import Paragraph, Question, Questions

NAMES = ("Ada", "Ben", "Cleo", "Dora", "Emil", "Zoë")
TOWNS = ("Rome", "Oslo", "Lima", "Kyiv", "Bonn", "Nara")
TEMPLATE = (
    "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def facts(count: int, *, seed: int = 0, people: int = 2, strangers: bool = False) -> Questions:
    """Give `count` paragraphs that say where people live, and a question about each of them.

    With `strangers` there is another about somebody of whom the paragraph does not tell.
    """
    rng = np.random.default_rng(seed)
    paragraphs, questions = [], []
    for number in range(count):
        everybody, towns = rng.permutation(NAMES).tolist(), rng.permutation(TOWNS).tolist()
        names, towns = everybody[:people], towns[:people]
        text = " ".join(f"{n} lives in {t} ." for n, t in zip(names, towns, strict=True))
        paragraphs.append(Paragraph(f"p{number}", "people", text))
        questions += [
            Question(f"{number}-{n}", f"Where does {n} live ?", number, (t,), (text.index(t),))
            for n, t in zip(names, towns, strict=True)
        ]
        if strangers:
            stranger = everybody[people]
            asked = f"Where does {stranger} live ?"
            questions.append(Question(f"{number}-{stranger}", asked, number))
    return Questions(paragraphs, questions)


def tiny_causal(folder: Path, texts: list[str], *, template: str | None = TEMPLATE) -> str:
    """Write a random two-layer Llama and its tokenizer as a hub folder."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    from patterns.nlp.qa.stages.gpt_generator import byte_pairs
    from patterns.nlp.qa.stages.prompts import INSTRUCTION

    backend = byte_pairs([*texts, *[f"\n{INSTRUCTION} <user> <assistant> Passage:"] * 50], 600)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<end>")
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, intermediate_size=64, max_position_embeddings=512,
        tie_word_embeddings=True, eos_token_id=tokenizer.eos_token_id, bos_token_id=None,
        pad_token_id=None, initializer_range=0.2,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        LlamaForCausalLM(config).save_pretrained(folder)
    return str(folder)
