"""What `evaluate` measures of each method."""
