"""The boxes of the search diagram, one a file: analysis, candidates, features, ranking, reranking."""
