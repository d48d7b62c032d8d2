"""What the recommender speaks of: nouns without an algorithm that several files share."""
