"""Candidates: from the whole corpus to a hundred documents, by words and by meaning."""
