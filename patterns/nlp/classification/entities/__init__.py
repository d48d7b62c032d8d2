"""Nouns that data and stages share: texts with their labels."""
