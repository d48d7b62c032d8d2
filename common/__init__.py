"""Shared machinery of every pattern: evaluation, training, serving, monitoring.

`common` knows no pattern and no dataset. A helper lives here once two patterns use it and
only if it needs to ask neither of them what it is. Reading order: `config` (how a command is
started), `console` (what it says), `artifacts` (what it leaves behind), then `evaluation`,
`training` and `serving`.
"""
