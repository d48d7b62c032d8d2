"""The questions of the evaluation, one a file."""
