"""Nouns that data and stages share: images with their labels."""
