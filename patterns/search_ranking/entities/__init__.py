"""The nouns of search, which the data and the stages share: documents, queries, results."""
