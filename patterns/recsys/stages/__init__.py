"""One file per box of the diagram: candidates, features, ranking, re-ranking."""
