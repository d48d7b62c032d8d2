"""Nouns that data and stages share: sentences of words, the tags of words, entities in a text."""
