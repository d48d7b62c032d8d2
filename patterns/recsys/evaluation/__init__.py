"""The questions of the evaluation, one file each; `evaluate.py` asks them in order."""
