"""The boxes: preprocess → augment (training only) → U-Net → tiles joined → threshold → objects."""
