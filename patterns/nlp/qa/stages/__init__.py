"""The boxes: chunks -> retrieval -> re-ranking -> reader or generator -> answer with its passage."""
