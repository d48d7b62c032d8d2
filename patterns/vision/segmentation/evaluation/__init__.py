"""The questions that `evaluate` asks: accuracy, and by slices of the test images."""
