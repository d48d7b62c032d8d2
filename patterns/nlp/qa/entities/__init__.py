"""Nouns that data, stages and evaluation share: questions of paragraphs, passages, answers."""
