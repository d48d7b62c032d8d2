"""Data types without an algorithm that several files share."""
