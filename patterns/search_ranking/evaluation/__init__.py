"""The questions of the evaluation, one a file; `evaluate` puts their tables in order."""
