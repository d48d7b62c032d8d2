"""Datasets: bytes and schema, nothing more.

`load(name)` gives a typed table (`data.tables`) of a public dataset, fetched and verified, or of a
simulated world. What a row, a label and a split mean is decided in `patterns/<name>/data.py`.

Reading order: tables -> cards -> registry -> download -> archives -> the reader of one dataset ->
files (a user's own data) -> simulated. Of our packages it imports `common` alone.
"""

from data.registry import NAMES, choose, load, load_table

__all__ = ["NAMES", "choose", "load", "load_table"]
