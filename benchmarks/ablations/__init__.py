"""What each part is worth: `python -m benchmarks.ablations`."""
