"""One file for each question that the report answers."""
