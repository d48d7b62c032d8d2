"""The questions of the report, a file each: how good, where, how sure, and what must hold."""
