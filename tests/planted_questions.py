"""Planted questions whose right answer is known, and a transformer small enough to learn them."""

from pathlib import Path

import numpy as np
from planted import tiny_transformer

from patterns.nlp.qa.entities.questions import Paragraph, Question, Questions

COLOURS = ("red", "blue", "green", "black", "white")
ANIMALS = ("fox", "cat", "dog", "owl", "bear")
FILLER = ("on", "the", "hill", "near", "town", "stands", "old", "house", "with", "many")


def coloured(count: int, *, seed: int = 0, unanswerable: float = 0.0) -> Questions:
    """Give paragraphs of filler with one animal and one colour, and ask for the colour.

    It is left out of a share of them. A network this small learns what a colour is in seconds, but
    not to tell one question from another.
    """
    rng = np.random.default_rng(seed)
    paragraphs, questions = [], []
    for number in range(count):
        told = rng.random() >= unanswerable
        colour = str(rng.choice(COLOURS))
        words = [*rng.choice(FILLER, 10), rng.choice(ANIMALS), *([colour] if told else [])]
        text = " ".join(rng.permutation(words).tolist()).capitalize() + "."
        start = text.lower().find(colour) if told else -1
        paragraphs.append(Paragraph(f"p{number}", f"page {number % 5}", text))
        answers = (text[start : start + len(colour)],) if told else ()
        starts = (start,) if told else ()
        questions.append(Question(f"q{number}", "Which colour?", number, answers, starts))
    return Questions(paragraphs, questions)


def tiny_reader(folder: Path) -> str:
    """Write a random transformer that knows the words of `coloured`."""
    texts = [" ".join((*COLOURS, *ANIMALS, *FILLER, "which colour animal ."))]
    return tiny_transformer(folder, texts)
