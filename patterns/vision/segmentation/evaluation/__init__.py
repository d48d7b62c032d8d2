"""The questions that `evaluate` asks: accuracy of objects, by slices; accuracy of classes."""
