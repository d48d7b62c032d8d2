"""Simulated worlds: one generator a pattern, the offline default of every command.

Each module has `generate(*, seed, **sizes)` and gives the same table as a public dataset of its
kind. The structure planted in it is known, so a test can ask whether a stage finds it, and a run
needs no network. `data.registry` knows them by the names `simulated-movies` and so on.
"""
