"""Passages: the pieces of paragraphs that are searched, read and cited."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Passage:
    """A piece of a paragraph, from character `start` of it on; `id` is the paragraph's."""

    id: str
    title: str
    text: str
    start: int = 0

    @property
    def end(self) -> int:
        """The character of the paragraph before which it ends."""
        return self.start + len(self.text)

    @property
    def citation(self) -> str:
        """How an answer names it: the title, the paragraph and its characters."""
        return f"{self.title or 'untitled'} [{self.id}:{self.start}-{self.end}]"
