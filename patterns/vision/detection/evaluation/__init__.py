"""The questions that `evaluate` asks: accuracy, by size of the object, as a counter."""
