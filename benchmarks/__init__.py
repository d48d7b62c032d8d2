"""Figures and comparisons: what the READMEs claim, measured by one command."""
