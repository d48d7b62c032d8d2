"""Models that turn features into the probability of fraud, baseline first."""
