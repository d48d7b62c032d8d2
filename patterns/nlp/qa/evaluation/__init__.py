"""The questions of the report, one a file, and what of the test part they share."""
