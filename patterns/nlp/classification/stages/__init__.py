"""The boxes: tokens -> encoder -> export; TF-IDF as the baseline, SVD features as the stand-in."""
