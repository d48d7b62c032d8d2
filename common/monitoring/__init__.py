"""Watching a model after it went out; so far the training-time reference of drift."""
