"""The boxes: preprocess -> augment (training only) -> network -> temperature -> top-k."""
