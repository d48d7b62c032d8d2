"""The boxes: chunks -> retrieval -> re-ranking -> reader or generator -> answer and passage."""
