"""The boxes: preprocess -> augment (training) -> U-Net -> tiles joined -> threshold -> objects."""
