"""Five patterns of ML systems, each a whole system, all with one listing."""
