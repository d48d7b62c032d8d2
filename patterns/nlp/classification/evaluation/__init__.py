"""The questions of the report, a file each: models, slices, what serves, behaviour, scope."""
